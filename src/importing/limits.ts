import { mismatch } from "../graph/errors.ts";
import { type DType, elementCount } from "../onnx/tensor.ts";

/**
 * Beyond so many elements a tensor is no shape arithmetic but data (position grids, attention masks): its nodes stay in the
 * graph, where ONNX Runtime folds them.
 */
export const mostKnown = 65_536;

/** Beyond so many elements no constant is made of what a file says: 64 MiB in float32. */
export const mostConstant = 2 ** 24;

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

/**
 * A shape of which a constant may be made.
 *
 * @throws Mismatch when it has too many elements
 */
export function constantShape<Shape extends readonly number[]>(shape: Shape): Shape {
  const count = elementCount(shape);
  if (!(count <= mostConstant)) mismatch(`would make a constant of ${count} elements, of at most ${mostConstant}`);
  return shape;
}

/** Element types that files pack two a byte: weights may be of them, but nothing that is fed or computed. */
export const isPacked = (dtype: DType): boolean => dtype === "int4" || dtype === "uint4";
