import type { Learner } from "../learners/learner.ts";
import { type Batch, partsOf, type Rows } from "./batch.ts";
import type { KnownRows } from "./perturb.ts";

/** Measurements of an optimiser step at the weights before it. */
export type MeasuredRows = Rows & {
  /** [rows, D], embeddings of the perturbed images. */
  readonly advEmbedding: Float32Array;
  /** [rows], their distances to the original embeddings. */
  readonly advDistance: Float32Array;
  /** [rows], minimised losses, if they are not those distances. */
  readonly advLoss?: Float32Array;
  /** [rows], distances of the clean images, if the loss reads them. */
  readonly cleanDistance?: Float32Array;
};

export interface Descent {
  /** Loss at the weights before the first optimiser step. */
  readonly loss: number;
  readonly before: MeasuredRows;
  /** [rows], clean distances at the weights before the last optimiser step, if the loss reads them. */
  readonly lastCleanDistance: Float32Array | undefined;
}

export interface DescendOptions {
  readonly learner: Learner;
  readonly primalMicroBatch: number;
  /** Learning rates, one an optimiser step. */
  readonly rates: readonly number[];
}

/**
 * Phase 3 of a step: the optimiser's steps on the perturbed images, with multipliers fixed.
 *
 * @throws NonFiniteError when a loss or a gradient is not finite
 */
export function descend(
  batch: Batch,
  known: KnownRows,
  { learner, primalMicroBatch, rates }: DescendOptions,
): Promise<Descent> {
  return learner.descend(partsOf(batch, known, primalMicroBatch), rates);
}
