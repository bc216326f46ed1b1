import { classThresholds, distanceKeeping, type Objective, thresholds } from "../../objectives/index.ts";
import { type Batch, joined, partsOf, type Rows } from "./batch.ts";
import type { DualVariable } from "./dual-variable.ts";
import type { OriginalRows } from "./reference.ts";

/** The constraint on each image. Zeros without one. */
export type BoundRows = Rows & {
  /** [rows], the largest allowed clean distance. */
  readonly threshold: Float32Array;
  /** [rows], multipliers. */
  readonly lambda: Float32Array;
};

export interface BoundOptions {
  readonly objective: Objective;
  readonly dual: DualVariable | undefined;
  readonly embeddingSize: number;
  readonly microBatch: number;
  /** Spread of the original's embeddings. */
  readonly spread: number;
}

/** Thresholds and multipliers, fixed while the encoder moves. */
export async function bounds(batch: Batch, original: OriginalRows, options: BoundOptions): Promise<BoundRows> {
  const { dual, microBatch } = options;
  const threshold = thresholdsOf(batch, original, options);
  if (!dual) return { threshold, lambda: new Float32Array(batch.length) };
  const lambdas: Float32Array[] = [];
  for (const { rows } of partsOf(batch, { ...batch.images, ...original, threshold }, microBatch))
    lambdas.push(await dual.multipliers(rows));
  return { threshold, lambda: joined(batch, microBatch, lambdas) };
}

function thresholdsOf(
  { length }: Batch,
  { original, entropy }: OriginalRows,
  { objective: { constraint }, embeddingSize, spread }: BoundOptions,
): Float32Array {
  const none = new Float32Array(length);
  if (!constraint) return none;
  if (constraint.divergence === "classes") return Float32Array.from(classThresholds(constraint.margin, entropy!));
  if (constraint.margin.kind === "kept")
    return none.fill(distanceKeeping(constraint.distance, constraint.margin.share, spread));
  return Float32Array.from(thresholds(constraint.margin, original, embeddingSize));
}
