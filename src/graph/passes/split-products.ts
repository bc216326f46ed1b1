import { elementCount, type Tensor } from "../../onnx/tensor.ts";
import { int, ints } from "../operators/index.ts";
import type { Node, Value } from "../value.ts";
import { countReaders } from "./readers.ts";
import { rewritten } from "./rewrite.ts";

/**
 * A product with constant weights whose columns are split at once (queries, keys and values) as one product a piece:
 * the pieces then need not be copied apart, nor their derivatives together.
 */
export function withSplitProducts(values: readonly Value[]): readonly Value[] {
  const readers = countReaders(values);
  return rewritten(values, (split, [y]) => {
    const { origin } = y!;
    if (split.op !== "Split" || int(split.attributes, "axis") !== 1) return undefined;
    if (origin.kind !== "node" || origin.node.op !== "Gemm" || readers.get(split.inputs[0]!) !== 1) return undefined;
    return pieces(origin.node, ints(split.attributes, "split"));
  });
}

/** x [rows, inputs] times each run of the weight's outputs [outputs, inputs], whose rows lie one after the other. */
function pieces({ inputs: [x, weight, bias], attributes: a }: Node, sizes: readonly number[]) {
  const { graph: g } = x!;
  const [w, b] = [constantOf(weight), constantOf(bias)];
  if (!w || (bias && b?.shape.length !== 1) || !int(a, "transB")) return undefined;
  let start = 0;
  return sizes.map((size) => {
    const rows = (tensor: Tensor): Value => g.constant(rowsOf(tensor, start, start + size));
    const piece = g.apply("Gemm", [x!, rows(w), ...(b ? [rows(b)] : [])], a)[0]!;
    start += size;
    return piece;
  });
}

function constantOf(value: Value | undefined): Tensor | undefined {
  return value?.origin.kind === "constant" ? value.origin.tensor : undefined;
}

/** Rows [start, end) of the first axis, on the same memory. */
function rowsOf(tensor: Tensor, start: number, end: number): Tensor {
  const size = elementCount(tensor.shape.slice(1));
  return {
    ...tensor,
    shape: tensor.shape.with(0, end - start),
    data: tensor.data.subarray(start * size, end * size),
  } as Tensor;
}
