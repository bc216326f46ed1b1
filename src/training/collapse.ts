import type { StepMetrics } from "./metrics.ts";

/** Consecutive batches needed for a warning. */
export const patience = 5;
/** Bounds of the spread, relative to the original's. Below, images are hardly distinguishable; above, training diverges. */
const [minSpread, maxSpread] = [0.02, 50];

/**
 * Watches the spread of embeddings. If it vanishes, all images share one embedding. If it grows without bound, training
 * diverges although the loss stays finite. Returns a warning once, else undefined.
 */
export class CollapseWatch {
  #collapsed = 0;
  #diverged = 0;
  #warned = false;

  observe({ step, spread }: StepMetrics): string | undefined {
    if (spread === undefined || this.#warned) return undefined;
    this.#collapsed = spread < minSpread ? this.#collapsed + 1 : 0;
    this.#diverged = spread > maxSpread ? this.#diverged + 1 : 0;
    if (this.#collapsed < patience && this.#diverged < patience) return undefined;
    this.#warned = true;
    const share = `${(100 * spread).toPrecision(2)} % of the original's`;
    return this.#diverged > 0
      ? `training diverges: at step ${step} embeddings spread to ${share}. Start again with a lower --learning-rate.`
      : `embeddings collapse: at step ${step} their spread is ${share}, so that images can hardly be told apart. ` +
          "Start again with a lower --learning-rate or --epsilon, or another --method.";
  }
}
