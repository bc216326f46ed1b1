import type { CompileOptions } from "../../runtime/index.ts";
import type { CacheOptions } from "./reference-cache.ts";

export interface StepOptions extends CompileOptions {
  /** Largest number of images a step. Default: any. */
  readonly batch?: number;
  /** Images that go through the encoder at a time; a batch of several parts gives the same result as one large part. */
  readonly microBatch: number;
  /** The same in the optimiser's steps, which need most memory, if weights are in host memory. Default: `microBatch`. */
  readonly primalMicroBatch?: number;
  /** Recompute activations in backward passes instead of keeping them: less memory, more time. Default false. */
  readonly recompute?: boolean;
  readonly weightDecay: number;
  /** Largest l2 norm of the whole gradient; larger gradients are scaled down. Default: no limit. */
  readonly clipGradient?: number;
  readonly seed: number;
  /** Numbers of all images, in any numbering; for `referenceCache`. */
  readonly images?: readonly number[];
  /** Caches the original encoder's answers to `images`, which must have the same pixels each time. Default: no cache. */
  readonly referenceCache?: CacheOptions;
  /** An image's name in messages. Default: `image 0` ... */
  readonly nameOf?: (image: number) => string;
}
