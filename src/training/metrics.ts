/**
 * Measurements of one batch: means over its images. Distances use the measure of the objective's constraint, so that they
 * compare with the threshold: KL in nats between class distributions under a class constraint, else squared l2 in
 * embedding space.
 */
export interface BatchResult {
  /** The loss that was minimised. */
  readonly loss: number;
  /** d(phi(x + delta), phi0(x)) */
  readonly advDistance: number;
  /**
   * Spread of the perturbed images' embeddings over that of the original's clean ones, each the mean squared distance to the
   * batch's mean: near 0 where embeddings collapse. Absent for a batch of one image.
   */
  readonly spread?: number;
  /** Loss on the perturbed images, if that is another distance, or a cross-entropy (TeCoA, in nats). */
  readonly advLoss?: number;
  /** d(phi(x), phi0(x)). Without a constraint only for every tenth batch, since it takes an extra forward pass. */
  readonly cleanDistance?: number;
  /** Mean allowed clean distance; absent without a constraint. */
  readonly threshold?: number;
  /** Mean multiplier; absent without a constraint. */
  readonly lambdaMean?: number;
  /** Share of images whose clean distance exceeds their threshold; absent without a constraint. */
  readonly violationRate?: number;
}

/**
 * One line of `metrics.jsonl`: one batch, measured at its first optimiser step, so on images that the encoder has not
 * just been fitted to.
 */
export interface StepMetrics extends Omit<BatchResult, "loss"> {
  /** Batches so far, from 1. */
  readonly step: number;
  /** Passes over the data so far, a fraction. */
  readonly epoch: number;
  /** Images so far. */
  readonly images: number;
  readonly learningRate: number;
  readonly imagesPerSecond: number;
}
