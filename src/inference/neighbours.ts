/**
 * The nearest rows of a gallery by cosine, for each query; a query's own row (the same index) is left out.
 *
 * @param queries [n, size], row-major
 * @param gallery [n, size], the same images
 * @returns n lists of k indices, the nearest first
 */
export function nearestOthers(
  queries: Float32Array,
  gallery: Float32Array,
  size: number,
  k: number,
): readonly (readonly number[])[] {
  const [from, to] = [unitRows(queries, size), unitRows(gallery, size)];
  return from.map((query, own) => {
    const cosines = to.map((row) => row.reduce((sum, x, i) => sum + x * query[i]!, 0));
    const others = to.flatMap((_, i) => (i === own ? [] : [i]));
    return others.sort((a, b) => cosines[b]! - cosines[a]!).slice(0, k);
  });
}

/** Mean share of neighbours in `one` that are also in `other`. */
export function overlap(one: readonly (readonly number[])[], other: readonly (readonly number[])[]): number {
  const shares = one.map((list, i) => list.filter((index) => other[i]!.includes(index)).length / list.length);
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** The mean of rows [n, size]. */
export function meanRow(rows: Float32Array, size: number): Float64Array {
  const mean = new Float64Array(size);
  for (const [i, x] of rows.entries()) mean[i % size]! += (x * size) / rows.length;
  return mean;
}

/**
 * Directions of rows [n, size] from a center, each of length 1; zero for a row at the center.
 *
 * @param center default: the origin
 */
export function unitRows(
  rows: Float32Array,
  size: number,
  center: Float64Array = new Float64Array(size),
): readonly Float64Array[] {
  return Array.from({ length: rows.length / size }, (_, i) => {
    const row = Float64Array.from(rows.subarray(i * size, (i + 1) * size), (x, d) => x - center[d]!);
    const length = Math.hypot(...row) || 1;
    return row.map((x) => x / length);
  });
}
