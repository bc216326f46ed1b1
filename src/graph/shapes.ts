import { mismatch } from "./errors.ts";

/** NumPy-style broadcasting of two static shapes. */
export function broadcast(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[a.length - rank + i] ?? 1;
    const n = b[b.length - rank + i] ?? 1;
    if (m !== n && m !== 1 && n !== 1) mismatch(`shapes [${a}] and [${b}] do not broadcast: ${m} against ${n}`);
    return m === 1 ? n : m;
  });
}

/** An axis in [-rank, rank) as one in [0, rank). */
export function axisIn(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    mismatch(`axis ${axis} is out of range for rank ${rank}`);
  return axis < 0 ? axis + rank : axis;
}

/** Sorted, distinct, non-negative axes; all axes when none are given. */
export function axesIn(axes: readonly number[] | undefined, rank: number): readonly number[] {
  if (axes === undefined) return range(rank);
  const sorted = axes.map((axis) => axisIn(axis, rank)).sort((a, b) => a - b);
  if (new Set(sorted).size !== sorted.length) mismatch(`axes [${axes}] name an axis twice`);
  return sorted;
}

/** So many elements are counted one by one at most: whatever asks for more is no shape, nor an axis of one. */
const maxCounted = 2 ** 24;

export function range(length: number): readonly number[] {
  if (!(length <= maxCounted)) mismatch(`${length} elements cannot be counted one by one`);
  return Array.from({ length }, (_, i) => i);
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
