import { type BlendRule, blend, type ChosenBlend, HeldOutImages, holdOut, largestBlend } from "../blending/index.ts";
import { chooseImages, type ImageSource, type SkippedImage } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { usualBatch } from "../inference/index.ts";
import { checkWeights, type Encoder, saveEncoder } from "../models/index.ts";
import type { Objective } from "../objectives/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { versions } from "../version.ts";
import { checkAttack } from "./attack-support.ts";
import { trainingFacts } from "./card-facts.ts";
import { beginning, type Progress } from "./checkpoint.ts";
import { Judge, type RecordedRecognition } from "./judge.ts";
import { type LoopEnd, trainLoop } from "./loop.ts";
import { type MemoryPlan, planMemory } from "./memory.ts";
import type { StepMetrics } from "./metrics.ts";
import { chosenMicroBatches, type MicroBatches } from "./micro-batch.ts";
import { minRecognitionImages, recognitionImages } from "./recognition.ts";
import { runFingerprint } from "./resumable.ts";
import { RunFolder } from "./run-folder.ts";
import {
  type BatchCut,
  checkBlend,
  checkSettings,
  defaultBlend,
  defaultSettings,
  givenSettings,
  type TrainingSettings,
} from "./settings.ts";
import { cacheBytes } from "./step/reference-cache.ts";
import { TrainingStep } from "./step/training-step.ts";
import { checkSupervision } from "./supervision.ts";
import type { Verdict } from "./verdict.ts";

/** Folder of a run, if any. */
export type RunPlace =
  /** Nothing is written, and the run cannot be resumed. */
  | { readonly run?: never; readonly resume?: false }
  | {
      /** Run folder to create, or to continue. */
      readonly run: string;
      /** Continue the run in the folder instead of creating it. Default false. */
      readonly resume?: boolean;
    };

/** Options of `finetune`. */
export type FinetuneOptions = CommonOptions & BatchCut & RunPlace;

interface CommonOptions extends Partial<Omit<TrainingSettings, "microBatch" | "memory">>, CompileOptions {
  /**
   * How far the resulting encoder lies between the original's weights and the trained ones: limited by a weight, and by
   * the share of the original's behaviour to keep on held-out images. Default: see `defaultBlend`.
   */
  readonly blend?: Partial<BlendRule>;
  /** Added to `run.json` beside the settings: the command, and the names of encoder and data. */
  readonly description?: object;
  /** Stops after the current batch, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Throw instead of warning, for example for an image that cannot be read. Default false. */
  readonly strict?: boolean;
  readonly onStep?: (metrics: StepMetrics, totalSteps: number) => void;
  /** Called with the plan chosen for `memory`. */
  readonly onPlan?: (plan: MemoryPlan) => void;
  /** Judge the run on held-out images, which takes five short attacks on 64 images. Default true. */
  readonly judge?: boolean;
  /** Called with the recognition of held-out images: before, during and after training. */
  readonly onJudged?: (recorded: RecordedRecognition) => void;
  readonly onWarning?: (message: string) => void;
  readonly onSkip?: (skip: SkippedImage) => void;
}

export interface FinetuneResult {
  /** The trained encoder, blended towards the original if a share of its behaviour was to be kept. */
  readonly encoder: Encoder;
  /** The encoder as training left it. */
  readonly trained: Encoder;
  /** The chosen blend; absent when there was nothing to keep, or the run was stopped. */
  readonly blend?: ChosenBlend;
  /** False when a signal stopped the run early. */
  readonly finished: boolean;
  readonly steps: number;
  /** With all defaults. */
  readonly settings: TrainingSettings;
  /** Whether the encoder is more robust than the original; absent with too few held-out images, or if the run was stopped. */
  readonly verdict?: Verdict;
}

/** Held-out images needed for meaningful shares. */
const minHeldOut = 32;

/** Restarts of a run whose embeddings collapse. */
const maxAttempts = 3;

/**
 * Fine-tunes an encoder. Only a supervised objective (TeCoA) uses labels. The same encoder, data, objective, settings and
 * thread count give the same weights, whether or not the run is interrupted and resumed.
 *
 * If no learning rate is given and the recipe's embeddings collapse, training restarts at a third of the rate, up to
 * three times, with a warning.
 *
 * @throws UsageError when the settings do not fit, the data lacks the labels that the objective needs, or the run
 *   folder is taken, or holds a run of other data, another encoder or other settings that is to be resumed
 * @throws NonFiniteError when a loss or gradient is not finite; the last good state is in the checkpoint
 *
 * @example
 * ```ts
 * import { finetune, imageFolder, loadEncoder, robust, saveEncoder } from "lore-vision";
 *
 * const original = await loadEncoder("openai/clip-vit-base-patch32");
 * const { encoder } = await finetune(original, imageFolder("photos"), robust({ epsilon: 2 / 255 }), {
 *   epochs: 1,
 *   run: "runs/clip", // where it is stopped, the same call with `resume: true` goes on
 * });
 * saveEncoder(encoder, "robust-clip");
 * ```
 */
export async function finetune(
  encoder: Encoder,
  source: ImageSource,
  objective: Objective,
  options: FinetuneOptions = {},
): Promise<FinetuneResult> {
  const plan = planOf(encoder, source, objective, options);
  const { settings, subset, rule } = plan;
  const folder = openFolder(plan, options);
  const judge = options.judge === false ? undefined : await openJudge(plan, folder, options);
  const step = await openStep(plan, folder, options);
  let end: LoopEnd;
  try {
    end = await attempts(step, plan, folder, judge, options);
  } finally {
    await step.dispose();
  }
  const trained = encoder.withParameters(step.parameters);
  const { progress, reason } = end;
  if (reason === "interrupted") return { encoder: trained, trained, settings, finished: false, steps: progress.step };
  const chosen = rule.keep > 0 ? await chooseBlend(plan, trained, options) : undefined;
  const result = blend(encoder, trained, chosen?.weight ?? rule.largest);
  const verdict = await judge?.after(progress.step, result.parameters);
  if (folder) {
    if (chosen) folder.describeBlend(chosen);
    const data = { encoder: encoder.name, data: source.name, images: subset.length };
    const used = { ...settings, learningRate: settings.learningRate / 3 ** (progress.attempt ?? 0) };
    saveEncoder(result, folder.encoder, { card: { training: trainingFacts(objective, used, data, chosen) } });
  }
  const found = { ...(chosen && { blend: chosen }), ...(verdict && { verdict }) };
  return { encoder: result, trained, settings, ...found, finished: true, steps: progress.step };
}

/** A run, checked as far as possible before anything is computed. */
interface Plan {
  readonly encoder: Encoder;
  readonly source: ImageSource;
  readonly objective: Objective;
  readonly settings: TrainingSettings;
  readonly batches: MicroBatches & { readonly recompute: boolean };
  readonly rule: BlendRule;
  /** Images to train on, and to judge by. */
  readonly subset: readonly number[];
  readonly heldOut: readonly number[];
}

function planOf(encoder: Encoder, source: ImageSource, objective: Objective, options: FinetuneOptions): Plan {
  const { seed = 0, limit = source.items.length, strict, onWarning } = options;
  const rule = { ...defaultBlend(objective), ...options.blend };
  checkSupervision(objective, encoder, source);
  checkWeights(encoder);
  checkBlend(rule);
  const telling = { ...(strict && { strict }), ...(onWarning && { onWarning }) };
  const all = chooseImages(source, { limit: options.limit, seed, ...telling });
  const { trained: subset, heldOut } =
    rule.keep > 0 ? holdOut(source, limit, seed) : keptAside(source, all, limit, seed);
  const settings: TrainingSettings = { ...defaultSettings(objective, subset.length), ...givenSettings(options) };
  checkSettings(settings);
  checkAttack(encoder, objective.attack, options.device);
  const batches = microBatches(encoder, objective, { ...settings, limit: subset.length }, options);
  return { encoder, source, objective, settings, batches, rule, subset, heldOut };
}

/** Images to judge by if the blend needs none: those beyond the limit, or a few of many. */
function keptAside(source: ImageSource, all: readonly number[], limit: number, seed: number) {
  const split = holdOut(source, limit, seed, recognitionImages);
  return split.heldOut.length < minRecognitionImages ? { trained: all, heldOut: [] } : split;
}

function openJudge(
  { encoder, source, objective, settings, batches, heldOut }: Plan,
  folder: RunFolder | undefined,
  options: FinetuneOptions,
): Promise<Judge | undefined> {
  return Judge.open(encoder, source, heldOut, folder, {
    ...options,
    ...{ epsilon: objective.attack.epsilon, seed: settings.seed, batch: Math.min(batches.microBatch, usualBatch) },
  });
}

function openStep(
  { encoder, source, objective, settings, batches, subset }: Plan,
  folder: RunFolder | undefined,
  options: FinetuneOptions,
): Promise<TrainingStep> {
  const { batch, epochs, weightDecay, seed, clipGradient } = settings;
  return TrainingStep.create(encoder, objective, {
    ...options,
    ...batches,
    ...{ batch, weightDecay, seed },
    images: subset,
    nameOf: (image) => source.items[image]!.id,
    // One epoch sees every image once.
    ...(epochs > 1 && { referenceCache: folder ? { file: folder.embeddings } : {} }),
    ...(clipGradient !== undefined && { clipGradient }),
  });
}

/** Trains from the run's progress. If embeddings collapse at a default rate, restarts at a third of it. */
async function attempts(
  step: TrainingStep,
  plan: Plan,
  folder: RunFolder | undefined,
  judge: Judge | undefined,
  options: FinetuneOptions,
): Promise<LoopEnd> {
  let progress: Progress = beginning;
  if (options.resume && folder?.hasCheckpoint) {
    const checkpoint = folder.restore();
    step.restore(checkpoint.tensors);
    progress = checkpoint.progress;
  }
  const mayRestart = plan.objective.name === "robust" && options.learningRate === undefined;
  for (;;) {
    const { attempt = 0 } = progress;
    const { signal, strict, onStep, onWarning, onSkip } = options;
    const endsAtCollapse = mayRestart && attempt < maxAttempts;
    const end = await trainLoop(step, progress, {
      ...{ ...plan, folder, signal, strict, onStep, onWarning, onSkip, endsAtCollapse },
      // A run with a memory limit has none to spare for this.
      ...(judge && options.memory === undefined && { judge }),
    });
    if (end.reason !== "collapsed") return end;
    const rate = plan.settings.learningRate / 3 ** (attempt + 1);
    onWarning?.(
      `embeddings collapsed at step ${end.progress.step}: beginning again at a learning rate of ${rate.toPrecision(2)}.`,
    );
    progress = { ...beginning, attempt: attempt + 1 };
    step.reset();
    folder?.beginAgain();
  }
}

async function chooseBlend(
  { encoder: original, source, heldOut, rule }: Plan,
  trained: Encoder,
  { onWarning, ...options }: FinetuneOptions,
): Promise<ChosenBlend | undefined> {
  const images = await HeldOutImages.open(original, source, heldOut, { ...options, batch: 16 });
  try {
    if (images.count >= minHeldOut) return await largestBlend(images, original.parameters, trained.parameters, rule);
  } finally {
    await images.dispose();
  }
  onWarning?.(
    `only ${images.count} images are held out, too few to tell what share of the original is kept: the blend is not ` +
      `checked. Give ${10 * minHeldOut} images or more, or look at it with lore blend.`,
  );
  return undefined;
}

/** Micro-batches: as given, as they fit into the memory, or the fastest. */
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

function openFolder(
  { encoder, source, objective, settings, batches, rule }: Plan,
  { run, resume, description, onWarning }: FinetuneOptions,
): RunFolder | undefined {
  if (run === undefined) return undefined;
  const fingerprint = runFingerprint(encoder, source, objective, { ...settings, ...rule });
  if (resume) return RunFolder.resume(run, fingerprint, onWarning);
  const made = { objective, settings: { ...settings, ...batches }, fingerprint, versions: versions() };
  return RunFolder.create(run, { ...description, ...made });
}
