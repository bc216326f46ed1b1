import type { CompileOptions } from "../../runtime/index.ts";
import type { CacheOptions } from "./reference-cache.ts";

export interface StepOptions extends CompileOptions {
  /** Largest number of images a step. Default: any. */
  readonly batch?: number;
  /** Images that go through the encoder at a time; a batch of several parts gives the same result as one large part. */
  readonly microBatch: number;
  /** The same in the optimiser's steps, which keep most, where weights are in host memory. Default: `microBatch`. */
  readonly primalMicroBatch?: number;
  /** Compute activations again in backward passes instead of keeping them: less memory, more time. Default false. */
  readonly recompute?: boolean;
  readonly weightDecay: number;
  /** Largest l2 norm of the whole gradient; longer ones are scaled down. Default: no limit. */
  readonly clipGradient?: number;
  readonly seed: number;
  /** The images that there are, by any numbers of their own; for `referenceCache`. */
  readonly images?: readonly number[];
  /** Keeps the original encoder's answers to `images`, which must have the same pixels each time. Default: no. */
  readonly referenceCache?: CacheOptions;
  /** An image's name in messages. Default: `image 0` ... */
  readonly nameOf?: (image: number) => string;
}
