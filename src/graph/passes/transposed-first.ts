import { int } from "../operators/index.ts";
import type { Node, Value } from "../value.ts";
import { rewritten } from "./rewrite.ts";

/** Products of fewer rows are over before a transposition would pay. */
const leastRows = 128;

/**
 * Weight gradients, x^T dy, with the narrower of the two transposed beforehand; where that is dy, as (dy^T x)^T. ONNX Runtime's CPU
 * products read a first operand that lies transposed anew for every 128 columns of the result, element by element.
 * docs/PERFORMANCE.md has the measurement.
 */
export function withOperandsTransposedFirst(values: readonly Value[]): readonly Value[] {
  return rewritten(values, (node, [x, dy, bias]) => {
    if (!isWeightGradient(node) || bias) return undefined;
    const [rows, width] = x!.shape as [number, number];
    if (rows < leastRows) return undefined;
    return [width <= dy!.shape[1]! ? product(node, x!, dy!) : transposed(product(node, dy!, x!))];
  });
}

const isWeightGradient = ({ op, attributes }: Node): boolean =>
  op === "Gemm" && int(attributes, "transA") === 1 && int(attributes, "transB") === 0;

const product = ({ attributes }: Node, a: Value, b: Value): Value =>
  a.graph.apply("Gemm", [transposed(a), b], { ...attributes, transA: 0 })[0]!;

/** As a matrix of a stack of one: ONNX Runtime would put a matrix's transposition back into the product. */
function transposed(x: Value): Value {
  const { graph: g, shape } = x;
  return g.reshape(g.swap(g.reshape(x, [1, ...shape])), shape.toReversed());
}
