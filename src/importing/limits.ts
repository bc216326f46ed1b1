import type { Graph } from "../graph/index.ts";
import { mismatch } from "../graph/index.ts";
import { type DType, elementCount } from "../tensor/index.ts";

/**
 * Beyond so many elements a tensor is no shape arithmetic but data (position grids, attention masks): its nodes stay in the
 * graph, where ONNX Runtime folds them.
 */
export const mostKnown = 65_536;

/** So many elements may one constant have that is made of what a file says: 64 MiB in float32. */
export const mostConstant = 2 ** 24;

/** So many elements may all such constants of a graph have together. */
const mostConstants = 2 ** 25;

/** Beyond so many elements no value of a file's graph is taken: 8 GiB in float32. */
export const mostOfValue = 2 ** 31;

/** So many nodes may branches and loops come to, all runs of their bodies together. */
export const mostUnrolled = 65_536;

/** Thrown where a result would be no shape arithmetic; such nodes are left in the graph. */
export class TooLarge extends Error {}

/**
 * A shape that is small enough for its elements to be shape arithmetic.
 *
 * @throws Mismatch when it is none, TooLarge when it is too large
 */
export function small(shape: readonly number[]): readonly number[] {
  if (shape.some((size) => !Number.isInteger(size) || size < 0)) mismatch(`[${shape}] is no shape`);
  if (elementCount(shape) > mostKnown) throw new TooLarge();
  return shape;
}

const made = new WeakMap<Graph, number>();

/**
 * A shape of which a constant may be made in a graph; it counts as one that was.
 *
 * @throws Mismatch when it has too many elements, or all such constants together have
 */
export function constantShape<Shape extends readonly number[]>(g: Graph, shape: Shape): Shape {
  const count = elementCount(shape);
  if (!(count <= mostConstant)) mismatch(`would make a constant of ${count} elements, of at most ${mostConstant}`);
  const total = (made.get(g) ?? 0) + count;
  if (total > mostConstants) mismatch(`constants that the file asks for come to more than ${mostConstants} elements`);
  made.set(g, total);
  return shape;
}

/** Element types that files pack two a byte: weights may be of them, but nothing that is fed or computed. */
export const isPacked = (dtype: DType): boolean => dtype === "int4" || dtype === "uint4";
