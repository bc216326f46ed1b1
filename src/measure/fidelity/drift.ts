import type { Drift } from "../../results/index.ts";
import { spreadOf } from "../../results/index.ts";

/** Squared l2 distances of rows, [n]. */
export function squaredDistances(a: Float32Array, b: Float32Array, size: number): Float64Array {
  return overRows(a, b, size, (x, y) => (x - y) ** 2);
}

/**
 * How far embeddings are from the original's.
 *
 * @param original [n, size], row-major
 * @param moved [n, size], of the same images
 */
export function driftOf(original: Float32Array, moved: Float32Array, size: number): Drift {
  const distance = squaredDistances(original, moved, size);
  const norm = overRows(original, original, size, (x) => x * x);
  const movedNorm = overRows(moved, moved, size, (x) => x * x);
  const product = overRows(original, moved, size, (x, y) => x * y);
  return {
    distance: spreadOf(distance),
    relative: spreadOf(distance.map((d, i) => d / norm[i]!)),
    cosine: spreadOf(product.map((dot, i) => dot / Math.sqrt(norm[i]! * movedNorm[i]!))),
  };
}

function overRows(
  a: Float32Array,
  b: Float32Array,
  size: number,
  term: (x: number, y: number) => number,
): Float64Array {
  return Float64Array.from({ length: a.length / size }, (_, row) => {
    let sum = 0;
    for (let i = row * size; i < (row + 1) * size; i++) sum += term(a[i]!, b[i]!);
    return sum;
  });
}
