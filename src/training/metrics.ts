/** What one batch showed. Distances are squared l2 in embedding space, means over the batch. */
export interface BatchResult {
  /** What was minimised. */
  readonly loss: number;
  /** ||phi(x + delta) - phi0(x)||^2 */
  readonly advDistance: number;
  /** ||phi(x) - phi0(x)||^2 */
  readonly cleanDistance: number;
  /** Mean allowed clean distance; absent without a constraint. */
  readonly threshold?: number;
  /** Mean multiplier; absent without a constraint. */
  readonly lambdaMean?: number;
  /** Share of images whose clean distance exceeds their threshold; absent without a constraint. */
  readonly violationRate?: number;
}

/**
 * One line of `metrics.jsonl`: one batch, measured at its first optimiser step, so on images the encoder has not just
 * been fitted to.
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
