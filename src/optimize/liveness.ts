import type { Value } from "../graph/index.ts";
import { reachable } from "../graph/index.ts";
import { peakOf } from "./buffers.ts";
import { executionOrder, fileOrder } from "./order.ts";
import { byteSize } from "./storage.ts";

/**
 * Peak bytes of a program's values when ONNX Runtime runs it on CPU; see `peakOf`.
 *
 * @param preallocated outputs have memory of their own, too
 */
export function peakBytes(outputs: readonly Value[], preallocated: boolean): number {
  return peakOf(executionOrder(fileOrder(reachable(outputs).nodes)), new Set(outputs), preallocated);
}

/** Bytes of the largest value that a program computes. */
export function largestBytes(outputs: readonly Value[]): number {
  const values = reachable(outputs).nodes.flatMap((node) => node.outputs);
  return values.reduce((max, value) => Math.max(max, byteSize(value)), 0);
}
