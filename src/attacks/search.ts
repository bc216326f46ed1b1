import type { RandomStream } from "../random.ts";

/** A point to evaluate: pixels [3, S, S], and for losses that need one the class aimed at. */
export interface Query {
  readonly point: Float32Array;
  readonly target?: number;
}

/** The encoder's answer at a point. */
export interface Answer {
  /** The number that the search maximises. */
  readonly loss: number;
  /** The loss's gradient [3, S, S]; empty where the attack reads none. */
  readonly gradient: Float32Array;
  /** The point is misclassified. False throughout where there is no such notion (distances of embeddings). */
  readonly success: boolean;
}

/** The end of a search: the first success, or the point of the largest loss. */
export interface Found {
  readonly point: Float32Array;
  readonly loss: number;
  readonly success: boolean;
}

/**
 * An attack on one image, as its paper writes it: yields the point to evaluate, receives the answer, returns the best
 * point. Many searches run side by side, each in its own place of the batch.
 */
export type Search = Generator<Query, Found, Answer>;

/** A search's image, its random numbers, and where it starts. */
export interface Origin {
  /** [3, S, S] in [0, 1] */
  readonly clean: Float32Array;
  readonly random: RandomStream;
  /** A start instead of a random point of the ball. */
  readonly start?: Float32Array;
}
