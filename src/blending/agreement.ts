import { meanRow, nearestOthers, overlap, unitRows } from "../inference/index.ts";

/**
 * Agreement of embeddings with the original's of the same images, without labels. Each number is 1 for full agreement.
 */
export interface Agreement {
  /** Mean of exp(-KL(p(z0) || p(z))), p an image's distribution over the others' original embeddings at temperature 0.1. */
  readonly relations: number;
  /** Mean share of an image's 10 nearest others among the original embeddings, by cosine, that z finds there too. */
  readonly neighbours: number;
  /** Mean cosine of z - mu and z0 - mu, mu the mean original embedding. */
  readonly cosine: number;
  /** 1 - E ||z - z0||^2 / E ||z0 - mu||^2: the share of the original embeddings' variance that is still there. */
  readonly variance: number;
}

/**
 * Share of the original's clean behaviour that is kept: the agreement of relations, relative to the original's own
 * agreement on the same images shifted by a sixteenth of their width. Behaviour that a small shift changes was never
 * reliable, so 1 means that no more than that is lost. The encoder's own sensitivity sets the scale.
 *
 * @param shifted agreement of the original with itself on shifted images
 * @returns 0 to 1
 */
export function behaviourKept(agreement: Agreement, shifted: Agreement): number {
  return Math.min(1, agreement.relations / shifted.relations);
}

const neighbourCount = 10;
const temperature = 0.1;

/**
 * @param original [n, size], row-major; n at least 12
 * @param moved [n, size], of the same images
 */
export function agreementOf(original: Float32Array, moved: Float32Array, size: number): Agreement {
  const count = original.length / size;
  const center = meanRow(original, size);
  const rows = (data: Float32Array): readonly Float64Array[] =>
    Array.from({ length: count }, (_, i) => Float64Array.from(data.subarray(i * size, (i + 1) * size)));
  const [z0, z] = [rows(original), rows(moved)];
  const [u0, u] = [unitRows(original, size, center), unitRows(moved, size, center)];
  const spread = mean(z0.map((row) => sum(row, (x, d) => (x - center[d]!) ** 2)));
  const moves = mean(z0.map((row, i) => sum(row, (x, d) => (x - z[i]![d]!) ** 2)));
  const [near0, near] = [original, moved].map((queries) => nearestOthers(queries, original, size, neighbourCount));
  const others = (queries: readonly Float64Array[], i: number): Float64Array =>
    softmax(u0.flatMap((row, j) => (j === i ? [] : [dot(queries[i]!, row) / temperature])));
  return {
    neighbours: overlap(near0!, near!),
    cosine: mean(u0.map((row, i) => dot(row, u[i]!))),
    variance: 1 - moves / spread,
    relations: mean(u0.map((_, i) => Math.exp(-kl(others(u0, i), others(u, i))))),
  };
}

function softmax(scores: readonly number[]): Float64Array {
  const top = Math.max(...scores);
  const weights = Float64Array.from(scores, (score) => Math.exp(score - top));
  const total = sum(weights, (w) => w);
  return weights.map((w) => w / total);
}

function kl(p: Float64Array, q: Float64Array): number {
  return sum(p, (x, i) => (x > 0 ? x * Math.log(x / q[i]!) : 0));
}

function dot(a: Float64Array, b: Float64Array): number {
  return sum(a, (x, i) => x * b[i]!);
}

function sum(row: Float64Array, term: (x: number, i: number) => number): number {
  let total = 0;
  for (let i = 0; i < row.length; i++) total += term(row[i]!, i);
  return total;
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
