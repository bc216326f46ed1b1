import { type EmbeddingTable, embeddingAt } from "./table.ts";

/** A row of an index, and how near it is. */
export interface Neighbour {
  readonly name: string;
  readonly cosine: number;
}

/**
 * The nearest rows of an index by cosine for each query, the nearest first; of equal ones the earlier. A row of zeros has
 * a cosine of 0 with all others.
 *
 * @param k how many; all where the index has fewer
 */
export function nearestIn(
  index: EmbeddingTable,
  queries: EmbeddingTable,
  k: number,
): readonly (readonly Neighbour[])[] {
  const lengths = index.names.map((_, i) => lengthOf(embeddingAt(index, i)));
  return queries.names.map((_, q) => {
    const query = embeddingAt(queries, q);
    const length = lengthOf(query);
    const nearest: Neighbour[] = [];
    for (const [i, name] of index.names.entries()) {
      const cosine = dot(query, embeddingAt(index, i)) / (length * lengths[i]! || 1);
      if (nearest.length === k && cosine <= nearest[k - 1]!.cosine) continue;
      const place = nearest.findIndex((other) => other.cosine < cosine);
      nearest.splice(place === -1 ? nearest.length : place, 0, { name, cosine });
      if (nearest.length > k) nearest.pop();
    }
    return nearest;
  });
}

function lengthOf(row: Float32Array): number {
  return Math.sqrt(dot(row, row));
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
