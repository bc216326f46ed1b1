import type { StepMetrics } from "./metrics.ts";

/** Batches in a row that must say the same. */
export const patience = 5;
/** Shares of the original's spread: below, images can hardly be told apart; above, nothing is where it was. */
const [least, most] = [0.02, 50];

/**
 * Watches the spread of embeddings: where it vanishes, all images become one; where it grows without end, training
 * diverges though its loss stays finite. Returns a warning once, else undefined.
 */
export class CollapseWatch {
  #collapsed = 0;
  #diverged = 0;
  #warned = false;

  observe({ step, spread }: StepMetrics): string | undefined {
    if (spread === undefined || this.#warned) return undefined;
    this.#collapsed = spread < least ? this.#collapsed + 1 : 0;
    this.#diverged = spread > most ? this.#diverged + 1 : 0;
    if (this.#collapsed < patience && this.#diverged < patience) return undefined;
    this.#warned = true;
    const share = `${(100 * spread).toPrecision(2)} % of the original's`;
    return this.#diverged > 0
      ? `training diverges: at step ${step} embeddings spread to ${share}. Start again with a lower --learning-rate.`
      : `embeddings collapse: at step ${step} their spread is ${share}, so that images can hardly be told apart. ` +
          "Start again with a lower --learning-rate or --epsilon, or another --method.";
  }
}
