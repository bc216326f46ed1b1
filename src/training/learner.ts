import type { Part } from "./part.ts";

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
   * The inner attack, from the images in `adversarial`, and clean distances where the primal step does not give them.
   * Needs the original embeddings.
   */
  perturb(part: Part): Promise<void>;
  /** Loss of the whole batch, all of whose parts are perturbed. Its gradient stays with the learner. */
  primal(parts: readonly Part[]): Promise<number>;
  /**
   * One step of the optimiser with the latest gradient.
   *
   * @throws NonFiniteError when the gradient is not finite; weights and moments are then as before
   */
  update(learningRate: number): Promise<void>;
  /** The batch's images are done with. */
  release(parts: readonly Part[]): void;
  /** Brings weights and moments to the arrays in host memory that the learner was created with. */
  pull(): Promise<void>;
  /** Those arrays were changed: go on from them. */
  push(): void;
  dispose(): Promise<void>;
}
