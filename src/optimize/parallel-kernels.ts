import type { Node, Value } from "../graph/index.ts";
import { int, ints } from "../graph/index.ts";
import { elementCount } from "../tensor/index.ts";
import { rewritten } from "./rewrite.ts";

/** Results of fewer elements take less time than a node does, however they are computed. */
const minElements = 2 ** 16;

/**
 * Replaces kernels of ONNX Runtime's CPU provider that are slow or use one core by kernels that use all cores. A
 * product's bias, which is copied into the result before the product starts, is added afterwards. Sums over rows become
 * products with a row of ones. docs/lab/SPEED.md has the measurement.
 */
export function withParallelKernels(values: readonly Value[]): readonly Value[] {
  const rows = new Map<number, Value>();
  return rewritten(values, (node, inputs) => {
    if (node.op === "Gemm") return biasAfterwards(node, inputs);
    if (node.op === "ReduceSum") return onesTimesRows(node, inputs, rows);
    return undefined;
  });
}

function biasAfterwards({ outputs: [y], attributes }: Node, [a, b, bias]: readonly Value[]) {
  if (bias?.rank !== 1 || elementCount(y!.shape) < minElements) return undefined;
  const { graph: g } = a!;
  const product = g.apply("Gemm", [a!, b!], attributes)[0]!;
  const beta = attributes.beta as number;
  return [g.add(product, beta === 1 ? bias : g.mul(bias, beta))];
}

/** @param rows of ones, by length: as few constants as there are lengths */
function onesTimesRows({ outputs: [y], attributes }: Node, [x]: readonly Value[], rows: Map<number, Value>) {
  const { graph: g, shape, dtype } = x!;
  const [axis, ...more] = ints(attributes, "axes");
  if (axis !== 0 || more.length > 0 || shape.length !== 2 || dtype !== "float32") return undefined;
  if (elementCount(shape) < minElements) return undefined;
  const length = shape[0]!;
  const ones = rows.get(length) ?? g.constant({ dtype, shape: [1, length], data: new Float32Array(length).fill(1) });
  rows.set(length, ones);
  const sums = g.matMul(ones, x!);
  return [int(attributes, "keepdims") ? sums : g.reshape(sums, y!.shape)];
}
