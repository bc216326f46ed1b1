import type { Value } from "../graph/index.ts";
import { reachable } from "../graph/index.ts";
import type { Parameters } from "../models/index.ts";
import { elementCount, storageClass } from "../tensor/index.ts";
import type { ProductCount } from "./gemm.ts";

/** Bytes of the float32 operands and results of products, each read or written once. */
export function productBytes(counts: readonly ProductCount[]): number {
  const elements = counts.map(({ product: { batch, m, k, n }, count }) => count * batch * (m * k + k * n + m * n));
  return 4 * elements.reduce((sum, x) => sum + x, 0);
}

/** These give their operand another shape and move nothing. */
const views: ReadonlySet<string> = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"]);

/** Bytes of the operands and results of all nodes that the outputs depend on, each read or written once a node. */
export function nodeBytes(outputs: readonly Value[]): number {
  return reachable(outputs)
    .nodes.filter(({ op }) => !views.has(op))
    .flatMap(({ inputs, outputs }) => [...inputs, ...outputs])
    .reduce((sum, value) => sum + bytesOf(value), 0);
}

/** An AdamW step reads weights, gradients and two moments, and writes all but the gradients. */
export function optimizerBytes(parameters: Parameters): number {
  return 7 * [...parameters.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
}

function bytesOf({ dtype, shape }: Value): number {
  return storageClass(dtype).BYTES_PER_ELEMENT * elementCount(shape);
}
