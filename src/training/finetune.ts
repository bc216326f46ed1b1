import { type BlendRule, blend, type ChosenBlend, HeldOutImages, holdOut, largestBlend } from "../blending/index.ts";
import { chooseImages, type ImageSource, type SkippedImage, tellFault } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { checkWeights } from "../models/finite.ts";
import { type Encoder, saveEncoder } from "../models/index.ts";
import type { Objective } from "../objectives/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { versions } from "../version.ts";
import { checkAttack } from "./attack-support.ts";
import { trainingFacts } from "./card-facts.ts";
import type { Progress } from "./checkpoint.ts";
import { CollapseWatch } from "./collapse.ts";
import { FeasibilityWatch } from "./feasibility.ts";
import { type MemoryPlan, planMemory } from "./memory.ts";
import type { StepMetrics } from "./metrics.ts";
import { chosenMicroBatches, type MicroBatches } from "./micro-batch.ts";
import { NonFiniteError } from "./non-finite.ts";
import { cacheBytes } from "./reference-cache.ts";
import { remainingBatches } from "./remaining.ts";
import { type RunFingerprint, runFingerprint } from "./resumable.ts";
import { RunFolder } from "./run-folder.ts";
import { learningRateAt } from "./schedule.ts";
import { checkSupervision } from "./supervision.ts";
import { TrainingStep } from "./training-step.ts";

/** The part of a run's settings that decides its result, together with encoder, data and objective. */
export interface TrainingSettings {
  readonly epochs: number;
  /** Images used, taken class by class in turn; all when left out. */
  readonly limit?: number;
  readonly batch: number;
  /** Images that go through the encoder at a time. Default: what `usualMicroBatches` or `memory` says; the batch on a GPU. */
  readonly microBatch?: number;
  /** Bytes that the process may take on CPU: chooses the micro-batch, and `recompute` where it has to; see `planMemory`. */
  readonly memory?: number;
  /** Compute activations again in backward passes instead of keeping them: less memory, more time. Default false. */
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

/** Images that the recipe goes over at least, in as many epochs as that takes, up to a number that few images do not bear. */
const recipeImages = 8192;
const mostEpochs = 50;

/**
 * Settings for an objective: for the recipe (`robust`) small batches, at a rate that docs/RESULTS.md has the measurement
 * of; for others the paper's (appendix C), warm-up as in FARE, batch as small machines allow.
 *
 * @param images that an epoch goes over
 */
export function defaultSettings({ name }: Pick<Objective, "name">, images: number): TrainingSettings {
  const common = { weightDecay: 1e-4, warmup: 0.07, seed: 0 };
  if (name === "robust")
    return {
      ...common,
      epochs: Math.min(mostEpochs, Math.max(1, Math.round(recipeImages / images))),
      batch: 16,
      learningRate: 6e-4,
    };
  return { ...common, epochs: 2, batch: 64, learningRate: 1e-5 };
}

export interface FinetuneOptions extends Partial<TrainingSettings>, CompileOptions {
  /**
   * How far the encoder that comes out lies from the original's weights to the trained ones: no further than a weight, and
   * than keeps a share of the original's behaviour on images held out of training. Default: see `defaultBlend`.
   */
  readonly blend?: Partial<BlendRule>;
  /** Run folder to create; without it nothing is written and the run cannot be resumed. */
  readonly run?: string;
  /** Continue the run in the folder instead of creating it. */
  readonly resume?: boolean;
  /** What `run.json` says besides the settings (the command, the encoder's and the data's names). */
  readonly description?: object;
  /** Stops after the current batch, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly strict?: boolean;
  readonly onStep?: (metrics: StepMetrics, totalSteps: number) => void;
  /** What was chosen for `memory`. */
  readonly onPlan?: (plan: MemoryPlan) => void;
  readonly onWarning?: (message: string) => void;
  readonly onSkip?: (skip: SkippedImage) => void;
}

export interface FinetuneResult {
  /** The trained encoder, blended towards the original where a share of its behaviour was to be kept. */
  readonly encoder: Encoder;
  /** The encoder as training left it. */
  readonly trained: Encoder;
  /** How the blend was chosen; absent when there was nothing to keep, or the run was stopped. */
  readonly blend?: ChosenBlend;
  /** False when a signal stopped the run early. */
  readonly finished: boolean;
  readonly steps: number;
}

/** Held-out images below which shares mean nothing. */
const fewestHeldOut = 32;

/** The recipe goes half of the way, less where that loses behaviour; other methods take the weights as they were trained. */
export function defaultBlend({ name }: Pick<Objective, "name">): BlendRule {
  return name === "robust" ? { largest: 0.5, keep: 1 } : { largest: 1, keep: 0 };
}

/** Batches from one measurement of clean distances to the next, where the objective does not need them. */
const cleanEvery = 10;

/** Minutes between checkpoints: a crash costs at most this much. */
const checkpointMinutes = 5;

/**
 * Fine-tunes an encoder; labels are used by a supervised objective (TeCoA) only. The same encoder, data, objective, settings and thread count give the same
 * weights, whether the run is interrupted and resumed or not.
 *
 * @throws UsageError when the settings do not fit, the data lacks the labels that the objective needs, or the run
 *   folder is taken, or holds a run of other data, another encoder or other settings that is to be resumed
 * @throws NonFiniteError when a loss or gradient is not finite; the last good state is in the checkpoint
 */
export async function finetune(
  encoder: Encoder,
  source: ImageSource,
  objective: Objective,
  options: FinetuneOptions = {},
): Promise<FinetuneResult> {
  const { seed = 0, limit = source.items.length, strict, onWarning } = options;
  const rule = { ...defaultBlend(objective), ...options.blend };
  checkSupervision(objective, encoder, source);
  checkWeights(encoder);
  checkBlend(rule);
  const telling = { ...(strict && { strict }), ...(onWarning && { onWarning }) };
  const all = chooseImages(source, { limit: options.limit, seed, ...telling });
  const { trained: subset, heldOut } = rule.keep > 0 ? holdOut(source, limit, seed) : { trained: all, heldOut: [] };
  const settings: TrainingSettings = { ...defaultSettings(objective, subset.length), ...defined(options) };
  const { batch, epochs } = settings;
  checkSettings(settings);
  checkAttack(encoder, objective.attack, options.device);
  const totalSteps = Math.ceil(subset.length / batch) * epochs;
  const parts = microBatches(encoder, objective, { ...settings, limit: subset.length }, options);
  const fingerprint = () => runFingerprint(encoder, source, objective, { ...settings, ...rule });
  const folder = openFolder(options, { objective, settings: { ...settings, ...parts } }, fingerprint);

  const step = await TrainingStep.create(encoder, objective, {
    ...options,
    ...parts,
    batch,
    weightDecay: settings.weightDecay,
    seed,
    images: subset,
    nameOf: (image) => source.items[image]!.id,
    // One epoch sees every image once.
    ...(epochs > 1 && { referenceCache: folder ? { file: folder.embeddings } : {} }),
    ...(settings.clipGradient !== undefined && { clipGradient: settings.clipGradient }),
  });
  let progress: Progress = { step: 0, images: 0, epoch: 0, cursor: 0 };
  if (options.resume && folder?.hasCheckpoint) {
    const checkpoint = folder.restore();
    step.restore(checkpoint.tensors);
    progress = checkpoint.progress;
  }

  const save = async (): Promise<void> => {
    await step.pull();
    step.checkFinite();
    folder?.save({ progress, tensors: step.state() });
  };
  if (progress.step === 0) await save();
  const watch = new FeasibilityWatch();
  const collapse = new CollapseWatch();
  const rateOf = schedule(settings, objective.stepsPerBatch, totalSteps);
  let saved = performance.now();
  let interrupted = false;
  let current = progress.step;
  try {
    const { onSkip, signal } = options;
    const remaining = {
      subset,
      epochs,
      batch,
      framing: encoder.framing,
      seed,
      ...(onSkip && { onSkip }),
      ...(strict && { strict }),
    };
    for await (const { images, after } of remainingBatches(source, remaining, progress)) {
      // Asked before a step, not after: a signal during the very last one interrupts nothing.
      interrupted = signal?.aborted === true;
      if (interrupted) break;
      current = after.step;
      const started = performance.now();
      const { loss: _, ...measured } = await step.run(
        images.pixels,
        [seed, "attack", progress.step],
        rateOf(progress.step),
        images.labels,
        images.indices,
        progress.step % cleanEvery === 0,
      );
      const metrics: StepMetrics = {
        step: after.step,
        epoch: after.epoch + after.cursor / subset.length,
        images: after.images,
        ...measured,
        learningRate: rateOf(progress.step)(0),
        imagesPerSecond: (1000 * images.count) / (performance.now() - started),
      };
      progress = after;
      folder?.append(metrics);
      options.onStep?.(metrics, totalSteps);
      const warning = objective.constraint && watch.observe(metrics);
      if (warning) options.onWarning?.(warning);
      const fault = collapse.observe(metrics);
      if (fault) tellFault(fault, options);
      if (performance.now() - saved > checkpointMinutes * 60_000) {
        await save();
        saved = performance.now();
      }
    }
    await save();
  } catch (error) {
    if (!(error instanceof NonFiniteError)) throw error;
    // Some of this batch's K steps may have been taken: the checkpoint on disk is the last state known to be good.
    const where = folder ? ` The last good checkpoint is kept in ${folder.path}.` : "";
    throw new NonFiniteError(
      `Step ${current}: ${error.message} Start a new run with a lower learning rate or a limit on the gradient's norm.${where}`,
      { cause: error },
    );
  } finally {
    await step.dispose();
  }
  const trained = encoder.withParameters(step.parameters);
  if (interrupted) return { encoder: trained, trained, finished: false, steps: progress.step };
  const chosen = rule.keep > 0 ? await chooseBlend(encoder, trained, source, heldOut, rule, options) : undefined;
  const result = blend(encoder, trained, chosen?.weight ?? rule.largest);
  if (folder) {
    if (chosen) folder.describeBlend(chosen);
    const data = { encoder: encoder.name, data: source.name, images: subset.length };
    saveEncoder(result, folder.encoder, { card: { training: trainingFacts(objective, settings, data, chosen) } });
  }
  return { encoder: result, trained, ...(chosen && { blend: chosen }), finished: true, steps: progress.step };
}

async function chooseBlend(
  original: Encoder,
  trained: Encoder,
  source: ImageSource,
  heldOut: readonly number[],
  rule: BlendRule,
  { onWarning, ...options }: FinetuneOptions,
): Promise<ChosenBlend | undefined> {
  const images = await HeldOutImages.open(original, source, heldOut, { ...options, batch: 16 });
  try {
    if (images.count >= fewestHeldOut) return await largestBlend(images, original.parameters, trained.parameters, rule);
  } finally {
    await images.dispose();
  }
  onWarning?.(
    `only ${images.count} images are held out, too few to tell what share of the original is kept: the blend is not ` +
      `checked. Give ${10 * fewestHeldOut} images or more, or look at it with lore blend.`,
  );
  return undefined;
}

/** How a batch goes through the encoder: as told, as it fits into the memory, or as it is fastest. */
function microBatches(
  encoder: Encoder,
  objective: Objective,
  { batch, epochs, microBatch, memory, recompute = false, limit = 0 }: TrainingSettings,
  { device = "cpu", onPlan }: FinetuneOptions,
): MicroBatches & { readonly recompute: boolean } {
  if (memory === undefined) {
    return { ...chosenMicroBatches(encoder, objective, { batch, microBatch, device }), recompute };
  }
  if (device !== "cpu") {
    throw new UsageError(`The memory that training takes is known on CPU only: on ${device}, give a micro-batch.`);
  }
  const embeddings = epochs > 1 ? cacheBytes(limit, encoder.embeddingSize) : 0;
  const plan = planMemory(encoder, objective, { batch, memory: memory - embeddings, recompute });
  onPlan?.(plan);
  return { microBatch: plan.microBatch, primalMicroBatch: plan.primalMicroBatch, recompute: plan.recompute };
}

/** The learning rate of optimiser step k of a batch. */
function schedule(
  { learningRate, warmup }: TrainingSettings,
  stepsPerBatch: number,
  batches: number,
): (batch: number) => (k: number) => number {
  const total = batches * stepsPerBatch;
  const warm = Math.round(warmup * total);
  return (batch) => (k) => learningRateAt(batch * stepsPerBatch + k, learningRate, warm, total);
}

function openFolder(
  { run, resume, description, onWarning }: FinetuneOptions,
  settings: object,
  fingerprint: () => RunFingerprint,
): RunFolder | undefined {
  if (run === undefined) return undefined;
  if (resume) return RunFolder.resume(run, fingerprint(), onWarning);
  return RunFolder.create(run, { ...description, ...settings, fingerprint: fingerprint(), versions: versions() });
}

function checkBlend({ largest, keep }: BlendRule): void {
  if (!(keep >= 0 && keep <= 1)) throw new UsageError(`The share to keep lies in [0, 1], got ${keep}.`);
  if (!(largest >= 0 && largest <= 1)) throw new UsageError(`A blend's weight lies in [0, 1], got ${largest}.`);
}

function checkSettings(settings: TrainingSettings): void {
  const { epochs, batch, microBatch = batch, learningRate, weightDecay, warmup, clipGradient = Infinity } = settings;
  const positive = { epochs, batch, microBatch };
  for (const [name, count] of Object.entries(positive)) {
    if (!Number.isInteger(count) || count < 1)
      throw new UsageError(`${name} must be a positive integer, got ${count}.`);
  }
  if (settings.memory !== undefined && settings.microBatch !== undefined)
    throw new UsageError("Give either the memory or the micro-batch: the one is chosen by the other.");
  if (!(learningRate > 0)) throw new UsageError(`The learning rate must be positive, got ${learningRate}.`);
  if (!(clipGradient > 0)) throw new UsageError(`The gradient's limit must be positive, got ${clipGradient}.`);
  if (!(weightDecay >= 0)) throw new UsageError(`The weight decay must not be negative, got ${weightDecay}.`);
  if (!(warmup >= 0 && warmup < 1)) throw new UsageError(`Warm-up is a share of all steps, in [0, 1); got ${warmup}.`);
}

/** The settings among the options, without those left undefined. */
function defined(options: FinetuneOptions): Partial<TrainingSettings> {
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
