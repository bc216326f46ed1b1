import type { Graph } from "../graph/index.ts";
import { mismatch } from "../graph/index.ts";
import { type DType, elementCount } from "../tensor/index.ts";

/**
 * Maximum number of elements in shape arithmetic. Larger tensors are data (position grids, attention masks): their nodes stay in the
 * graph, where ONNX Runtime folds them.
 */
export const maxKnown = 65_536;

/** Maximum number of elements in one constant that a file asks for: 64 MiB in float32. */
export const maxConstant = 2 ** 24;

/** Maximum number of elements in all such constants of a graph together. */
const maxConstants = 2 ** 25;

/** Maximum number of elements in any value of a file's graph: 8 GiB in float32. */
export const maxOfValue = 2 ** 31;

/** Maximum number of nodes in unrolled branches and loops, over all runs of their bodies. */
export const maxUnrolled = 65_536;

/** Thrown where a result is too large for shape arithmetic. Such nodes stay in the graph. */
export class TooLarge extends Error {}

/**
 * A shape that is small enough for its elements to be shape arithmetic.
 *
 * @throws Mismatch when it is none, TooLarge when it is too large
 */
export function small(shape: readonly number[]): readonly number[] {
  if (shape.some((size) => !Number.isInteger(size) || size < 0)) mismatch(`[${shape}] is no shape`);
  if (elementCount(shape) > maxKnown) throw new TooLarge();
  return shape;
}

const made = new WeakMap<Graph, number>();

/**
 * Checks that a constant of this shape may be made in a graph, and counts it as made.
 *
 * @throws Mismatch when it has too many elements, or all such constants together have
 */
export function constantShape<Shape extends readonly number[]>(g: Graph, shape: Shape): Shape {
  const count = elementCount(shape);
  if (!(count <= maxConstant)) mismatch(`would make a constant of ${count} elements, of at most ${maxConstant}`);
  const total = (made.get(g) ?? 0) + count;
  if (total > maxConstants) mismatch(`constants that the file asks for come to more than ${maxConstants} elements`);
  made.set(g, total);
  return shape;
}

/** Whether files pack the type two elements per byte. Only weights may have it, not inputs or computed values. */
export const isPacked = (dtype: DType): boolean => dtype === "int4" || dtype === "uint4";
