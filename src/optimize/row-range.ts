import type { Value } from "../graph/index.ts";
import { product, sameShape } from "../graph/index.ts";
import { elementCount, type Tensor } from "../tensor/index.ts";

/**
 * A run of rows of a value: its elements in memory order seen as [outer, size, inner], of the middle axis
 * [start, end). Reshaping does not change it.
 */
export interface Part {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
  readonly start: number;
  readonly end: number;
}

export function samePart(a: Part, b: Part): boolean {
  return a.outer === b.outer && a.size === b.size && a.inner === b.inner && a.start === b.start && a.end === b.end;
}

/** The part's middle axis as an axis of the shape: all of it, or the faster-running factor of it. */
export interface PartAxis {
  readonly axis: number;
  /** Rows of the axis that one step of the part's middle axis takes. */
  readonly rows: number;
  /** The part takes steps along the whole axis, not within each of several groups of its rows. */
  readonly whole: boolean;
}

/** Undefined where no single axis of the shape holds the part's rows. */
export function axisOf(shape: readonly number[], { size, inner }: Part): PartAxis | undefined {
  for (let axis = shape.length - 1, suffix = 1; axis >= 0; suffix *= shape[axis]!, axis--) {
    const rows = inner / suffix;
    if (rows < 1) return undefined;
    const groups = shape[axis]! / (rows * size);
    if (Number.isInteger(rows) && Number.isInteger(groups)) return { axis, rows, whole: groups === 1 };
  }
  return undefined;
}

/** The value's shape once only the part is left of it. */
export function partShape(shape: readonly number[], part: Part): readonly number[] {
  const { axis } = axisOf(shape, part)!;
  return shape.with(axis, (shape[axis]! / part.size) * (part.end - part.start));
}

/** The part as a value. */
export function takePart(x: Value, part: Part): Value {
  const { graph: g } = x;
  const { axis, rows, whole } = axisOf(x.shape, part)!;
  const { size, start, end } = part;
  if (whole) return g.slice(x, { starts: [start * rows], ends: [end * rows], axes: [axis] });
  const view = [product(x.shape.slice(0, axis)) * (x.shape[axis]! / (size * rows)), size, part.inner];
  return g.reshape(g.slice(g.reshape(x, view), { starts: [start], ends: [end], axes: [1] }), partShape(x.shape, part));
}

/** The same rows of an operand of another width, or all of it where it is broadcast along them. */
export function partOfOperand(operand: Value, y: Value, part: Part): Part | "all" | undefined {
  if (sameShape(operand.shape, y.shape)) return part;
  const { axis, rows } = axisOf(y.shape, part)!;
  const aligned = axis - (y.rank - operand.rank);
  if (aligned < 0 || operand.shape[aligned] === 1) return "all";
  const inner = rows * product(operand.shape.slice(aligned + 1));
  return { ...part, inner, outer: elementCount(operand.shape) / (part.size * inner) };
}

/** Runs of rows, those of a constant on the same memory. */
export function runsOfRows(value: Value, sizes: readonly number[]): readonly Value[] {
  const { graph: g, origin } = value;
  if (origin.kind !== "constant") return g.split(value, sizes, 0);
  const { tensor } = origin;
  const length = elementCount(tensor.shape.slice(1));
  let start = 0;
  return sizes.map((size) => {
    const data = tensor.data.subarray(start * length, (start + size) * length);
    start += size;
    return g.constant({ ...tensor, shape: tensor.shape.with(0, size), data } as Tensor);
  });
}
