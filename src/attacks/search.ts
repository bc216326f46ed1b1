import type { RandomStream } from "../random.ts";

/** A point to look at: pixels [3, S, S], and for losses that need one the class aimed at. */
export interface Query {
  readonly point: Float32Array;
  readonly target?: number;
}

/** What the encoder makes of a point. */
export interface Answer {
  /** What the search maximises. */
  readonly loss: number;
  /** Of the loss, [3, S, S]; empty where the search asked for none. */
  readonly gradient: Float32Array;
  /** The point is misclassified. False throughout where there is no such notion (distances of embeddings). */
  readonly success: boolean;
}

/** Where a search ended: the first success, or the point of the largest loss. */
export interface Found {
  readonly point: Float32Array;
  readonly loss: number;
  readonly success: boolean;
}

/**
 * An attack on one image, as its paper writes it: yields the point it wants to know of, receives the answer, returns what
 * it found. Many searches run side by side, each in its own place of the batch.
 */
export type Search = Generator<Query, Found, Answer>;

/** What a search starts from. */
export interface Origin {
  /** [3, S, S] in [0, 1] */
  readonly clean: Float32Array;
  readonly random: RandomStream;
  /** Where to start instead of at a random point of the ball. */
  readonly start?: Float32Array;
}
