import type { BlendRule } from "../blending/index.ts";
import { UsageError } from "../errors.ts";
import type { Objective } from "../objectives/index.ts";

/** The part of a run's settings that decides its result, together with encoder, data and objective. */
export interface TrainingSettings {
  readonly epochs: number;
  /** Images used, taken class by class in turn; all when left out. */
  readonly limit?: number;
  readonly batch: number;
  /** Images that go through the encoder at a time. Default: by `usualMicroBatches` or `memory`; the batch on a GPU. */
  readonly microBatch?: number;
  /** Bytes that the process may take on CPU. Determines the micro-batch and, if needed, `recompute`; see `planMemory`. */
  readonly memory?: number;
  /** Recompute activations in backward passes instead of keeping them: less memory, more time. Default false. */
  readonly recompute?: boolean;
  /** Peak of the schedule. */
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Share of all optimiser steps spent on linear warm-up. */
  readonly warmup: number;
  /** Largest l2 norm of the gradient. Default: no limit. */
  readonly clipGradient?: number;
  readonly seed: number;
}

/** Division of a batch: into micro-batches of a given size, or such that training fits into the memory. */
export type BatchCut =
  | (Pick<TrainingSettings, "microBatch"> & { readonly memory?: never })
  | (Required<Pick<TrainingSettings, "memory">> & { readonly microBatch?: never });

/** @throws UsageError when both are given */
export function batchCut({ microBatch, memory }: Pick<TrainingSettings, "microBatch" | "memory">): BatchCut {
  if (memory === undefined) return microBatch === undefined ? {} : { microBatch };
  if (microBatch === undefined) return { memory };
  throw new UsageError("Give either the memory or the micro-batch: the one is chosen by the other.");
}

/** Minimum images seen by the recipe, over as many epochs as that takes, up to a limit that protects small data sets. */
const recipeImages = 8192;
const maxEpochs = 50;

/**
 * Default settings for an objective. The recipe (`robust`) has small batches at a rate measured in docs/RESULTS.md. Other
 * objectives have the paper's settings (appendix C), FARE's warm-up, and a batch that small machines can hold.
 *
 * @param images number of images in an epoch
 */
export function defaultSettings({ name }: Pick<Objective, "name">, images: number): TrainingSettings {
  const common = { weightDecay: 1e-4, warmup: 0.07, seed: 0 };
  if (name === "robust")
    return {
      ...common,
      epochs: Math.min(maxEpochs, Math.max(1, Math.round(recipeImages / images))),
      batch: 16,
      learningRate: 6e-4,
    };
  return { ...common, epochs: 2, batch: 64, learningRate: 1e-5 };
}

/** Default blend. The recipe goes half of the way, or less if that loses behaviour. Other methods keep trained weights. */
export function defaultBlend({ name }: Pick<Objective, "name">): BlendRule {
  return name === "robust" ? { largest: 0.5, keep: 1 } : { largest: 1, keep: 0 };
}

/** @throws UsageError when a setting is out of its range */
export function checkSettings(settings: TrainingSettings): void {
  const { epochs, batch, microBatch = batch, learningRate, weightDecay, warmup, clipGradient = Infinity } = settings;
  const positive = { epochs, batch, microBatch };
  for (const [name, count] of Object.entries(positive)) {
    if (!Number.isInteger(count) || count < 1)
      throw new UsageError(`${name} must be a positive integer, got ${count}.`);
  }
  batchCut(settings);
  if (!(learningRate > 0)) throw new UsageError(`The learning rate must be positive, got ${learningRate}.`);
  if (!(clipGradient > 0)) throw new UsageError(`The gradient's limit must be positive, got ${clipGradient}.`);
  if (!(weightDecay >= 0)) throw new UsageError(`The weight decay must not be negative, got ${weightDecay}.`);
  if (!(warmup >= 0 && warmup < 1)) throw new UsageError(`Warm-up is a share of all steps, in [0, 1); got ${warmup}.`);
}

/** @throws UsageError when a weight or a share is out of its range */
export function checkBlend({ largest, keep }: BlendRule): void {
  if (!(keep >= 0 && keep <= 1)) throw new UsageError(`The share to keep lies in [0, 1], got ${keep}.`);
  if (!(largest >= 0 && largest <= 1)) throw new UsageError(`A blend's weight lies in [0, 1], got ${largest}.`);
}

/** The settings among the options, without those left undefined. */
export function givenSettings(options: Partial<TrainingSettings>): Partial<TrainingSettings> {
  const keys = [
    "epochs",
    "limit",
    "batch",
    "microBatch",
    "memory",
    "recompute",
    "learningRate",
    "weightDecay",
    "warmup",
    "clipGradient",
    "seed",
  ] as const;
  return Object.fromEntries(keys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]));
}
