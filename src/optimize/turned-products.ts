import type { Value } from "../graph/index.ts";
import { ints, sameShape } from "../graph/index.ts";
import { countReaders } from "./read-counts.ts";
import { rewritten } from "./rewrite.ts";
import { swapsMatrix } from "./storage.ts";

/**
 * A transposed product as the product of its transposed operands in the other order, (a b)^T = b^T a^T, where nobody reads the
 * product otherwise: on CPU and CUDA, ONNX Runtime's products transpose an operand as they read it, but a transposed result is moved
 * element by element. So is the derivative of the keys of attention, which its product takes transposed.
 */
export function withTurnedProducts(values: readonly Value[]): readonly Value[] {
  const readers = countReaders(values);
  return rewritten(values, (node, [result]) => {
    const { origin } = result!;
    if (node.op !== "Transpose" || origin.kind !== "node" || origin.node.op !== "MatMul") return undefined;
    const [a, b] = origin.node.inputs;
    const perm = otherwise(ints(node.attributes, "perm"));
    // An operand that serves a whole batch makes one large product, which it does not on the left.
    const batched = a!.rank >= 2 && sameShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    if (!perm || !batched || readers.get(node.inputs[0]!) !== 1) return undefined;
    const { graph: g } = result!;
    const turned = g.matMul(matrixTransposed(b!), matrixTransposed(a!));
    return [swapsMatrix(node) ? turned : g.transpose(turned, perm)];
  });
}

/** The same permutation of a product whose last two axes are exchanged; undefined unless it then moves whole rows. */
function otherwise(perm: readonly number[]): readonly number[] | undefined {
  const [row, column] = [perm.length - 2, perm.length - 1];
  if (perm.at(-1) !== row) return undefined;
  return perm.map((axis) => (axis === row ? column : axis === column ? row : axis));
}

function matrixTransposed(value: Value): Value {
  const { origin, graph } = value;
  return origin.kind === "node" && swapsMatrix(origin.node) ? origin.node.inputs[0]! : graph.swap(value);
}
