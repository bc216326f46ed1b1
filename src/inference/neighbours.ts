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

function unitRows(rows: Float32Array, size: number): readonly Float64Array[] {
  return Array.from({ length: rows.length / size }, (_, i) => {
    const row = Float64Array.from(rows.subarray(i * size, (i + 1) * size));
    const length = Math.hypot(...row) || 1;
    return row.map((x) => x / length);
  });
}
