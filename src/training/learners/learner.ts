import type { Parameters } from "../../models/index.ts";
import type { Objective } from "../../objectives/index.ts";
import type { AdamW } from "../adamw/adamw.ts";
import type { Part } from "../batch-slice.ts";
import { checkLoss } from "../non-finite.ts";
import type { TrainingGraphs } from "../training-graphs.ts";

/** What makes an attack's random start: the same key, the same start. */
export type Key = readonly (number | string)[];

/**
 * The encoder in training and its optimiser, in the memory of the device that computes: the phases of a step that need
 * them. Distances and embeddings are written to the parts.
 */
export interface Learner {
  /**
   * Original embeddings of a part's clean images.
   *
   * @returns the entropy [N] of their class distributions, with a class constraint
   */
  reference(part: Part): Promise<Float32Array | undefined>;
  /**
   * The inner attack, from the images in `adversarial`. Needs the original embeddings.
   *
   * @param measured whether to take clean distances, too, where the primal step does not give them
   */
  perturb(part: Part, measured: boolean): Promise<void>;
  /**
   * The optimiser's steps on a batch, all of whose parts are perturbed.
   *
   * @param rates learning rates, one a step
   * @param onFirst called with the batch's loss when the parts hold the distances at the weights of before the first step
   * @throws NonFiniteError when a loss or a gradient is not finite; weights and moments are then those of a step before it
   */
  descend(parts: readonly Part[], rates: readonly number[], onFirst: (loss: number) => void): Promise<void>;
  /** The batch's images are done with. */
  release(parts: readonly Part[]): void;
  /** Brings weights and moments to the arrays in host memory that the learner was created with. */
  pull(): Promise<void>;
  /** Those arrays were changed: go on from them. */
  push(): void;
  dispose(): Promise<void>;
}

/** What every learner needs. */
export interface Lesson {
  /** Weights of the frozen original. */
  readonly original: Parameters;
  /** Weights in training, in arrays that the learner changes. */
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly objective: Objective;
  readonly graphs: TrainingGraphs;
}

/** A learner whose loss and optimiser are programs of their own. */
export interface Stepwise {
  /** Loss of the whole batch. Its gradient stays with the learner. */
  primal(parts: readonly Part[]): Promise<number>;
  /**
   * One step of the optimiser with the latest gradient.
   *
   * @throws NonFiniteError when the gradient is not finite; weights and moments are then as before
   */
  update(learningRate: number): Promise<void>;
}

/** `Learner.descend`, a step after the other. */
export async function descendStepwise(
  learner: Stepwise,
  parts: readonly Part[],
  rates: readonly number[],
  onFirst: (loss: number) => void,
): Promise<void> {
  for (const [k, rate] of rates.entries()) {
    const loss = await learner.primal(parts);
    checkLoss(loss);
    if (k === 0) onFirst(loss);
    await learner.update(rate);
  }
}
