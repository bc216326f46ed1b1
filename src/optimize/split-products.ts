import type { Node, Value } from "../graph/index.ts";
import { int, ints, sameShape } from "../graph/index.ts";
import { countReaders } from "./read-counts.ts";
import { rewritten } from "./rewrite.ts";
import { runsOfRows } from "./row-range.ts";

/**
 * A product with constant weights whose columns are split at once (queries, keys and values) as one product a piece:
 * the pieces then need not be copied apart, nor their derivatives together. With other weights, which have to be copied apart
 * instead, where nobody reads some of the pieces.
 */
export function withSplitProducts(values: readonly Value[]): readonly Value[] {
  const readers = countReaders(values);
  return rewritten(values, (split, [y]) => {
    const { origin } = y!;
    if (split.op !== "Split" || int(split.attributes, "axis") !== 1) return undefined;
    if (origin.kind !== "node" || origin.node.op !== "Gemm" || readers.get(split.inputs[0]!) !== 1) return undefined;
    return pieces(
      origin.node,
      ints(split.attributes, "split"),
      split.outputs.every((output) => readers.has(output)),
    );
  });
}

/** x [rows, inputs] times each run of the weight's outputs [outputs, inputs], whose rows lie one after the other. */
function pieces({ inputs: [x, weight, bias], attributes: a }: Node, sizes: readonly number[], allRead: boolean) {
  const { graph: g } = x!;
  const [w, ...b] = [weight!, ...(bias ? [bias] : [])];
  if (!int(a, "transB") || b.some(({ shape }) => !sameShape(shape, w!.shape.slice(0, 1)))) return undefined;
  if (allRead && [w!, ...b].some(({ origin }) => origin.kind !== "constant")) return undefined;
  const [weights, ...biases] = [w!, ...b].map((value) => runsOfRows(value, sizes));
  return sizes.map((_, i) => g.apply("Gemm", [x!, weights![i]!, ...biases.map((bias) => bias[i]!)], a)[0]!);
}
