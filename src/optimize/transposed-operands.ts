import { int, type Node, nodeOf, type Value } from "../graph/index.ts";
import { rewritten } from "./rewrite.ts";
import { swapsMatrix } from "./storage.ts";

/** Products of fewer terms an element are over too soon for a node more to pay. */
const minTerms = 128;

/**
 * Products whose first operand is transposed, a^T b, as the gradients of weights are: that operand is transposed beforehand, or the
 * product becomes (b^T a)^T where that moves fewer elements. ONNX Runtime's CPU products copy a transposed first operand anew for
 * every 128 columns of the result. docs/lab/SPEED.md has the measurement.
 */
export function withTransposedOperands(values: readonly Value[]): readonly Value[] {
  return rewritten(values, (node, inputs) => {
    const found = transposedProduct(node, inputs);
    if (!found) return undefined;
    const { a, b, alpha } = found;
    const [terms, m] = a.shape as [number, number];
    const n = b.shape[1]!;
    if (terms < minTerms) return undefined;
    const product = (left: Value, right: Value): Value =>
      left.graph.gemm(transposed(left), right, undefined, { alpha });
    // A result that was transposed is copied once more on its way out.
    const turned = terms * n + 2 * m * n < terms * m;
    return [turned ? transposed(product(b, a)) : product(a, b)];
  });
}

/** The operands [terms, m] and [terms, n] of a matrix product alpha a^T b. */
function transposedProduct(
  { op, attributes }: Node,
  [a, b, bias]: readonly Value[],
): { readonly a: Value; readonly b: Value; readonly alpha: number } | undefined {
  if (op === "Gemm") {
    const plain = int(attributes, "transA") === 1 && int(attributes, "transB") === 0 && !bias;
    return plain ? { a: a!, b: b!, alpha: attributes.alpha as number } : undefined;
  }
  if (op !== "MatMul" || a!.rank !== 2 || b!.rank !== 2 || a!.dtype !== "float32") return undefined;
  const node = nodeOf(a);
  return node && swapsMatrix(node) ? { a: node.inputs[0]!, b: b!, alpha: 1 } : undefined;
}

/** As a matrix of a stack of one: ONNX Runtime would put a matrix's own transposition back into the product. */
function transposed(x: Value): Value {
  const { graph: g, shape } = x;
  return g.reshape(g.swap(g.reshape(x, [1, ...shape])), shape.toReversed());
}
