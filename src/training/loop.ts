import { type ImageSource, type SkippedImage, tellFault } from "../data/index.ts";
import type { Encoder } from "../models/index.ts";
import type { Objective } from "../objectives/index.ts";
import type { Progress } from "./checkpoint.ts";
import { CollapseWatch, patience } from "./collapse.ts";
import { FeasibilityWatch } from "./feasibility.ts";
import type { Judge } from "./judge.ts";
import type { StepMetrics } from "./metrics.ts";
import { NonFiniteError } from "./non-finite.ts";
import { remainingBatches } from "./remaining-batches.ts";
import type { RunFolder } from "./run-folder.ts";
import { learningRateAt } from "./schedule.ts";
import type { TrainingSettings } from "./settings.ts";
import type { TrainingStep } from "./step/training-step.ts";

/** Batches between measurements of clean distances, if the objective does not need them. */
const cleanEvery = 10;

/** Minutes between checkpoints: a crash costs at most this much. */
const checkpointMinutes = 5;

export interface LoopOptions {
  readonly encoder: Encoder;
  readonly source: ImageSource;
  readonly objective: Objective;
  readonly settings: TrainingSettings;
  /** Images to train on: indices into the source's items. */
  readonly subset: readonly number[];
  readonly folder: RunFolder | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly strict?: boolean | undefined;
  /** Whether a collapse ends the loop, for a restart; otherwise it is a warning. */
  readonly endsAtCollapse: boolean;
  /** Judges the run during training. */
  readonly judge?: Judge | undefined;
  readonly onStep?: ((metrics: StepMetrics, totalSteps: number) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly onSkip?: ((skip: SkippedImage) => void) | undefined;
}

/** Progress at the loop's end, and the reason of the end: all batches done, a signal, or collapsed embeddings. */
export interface LoopEnd {
  readonly progress: Progress;
  readonly reason: "done" | "interrupted" | "collapsed";
}

/**
 * Trains on the batches that are left. Writes a line of metrics per batch, and a checkpoint every few minutes and at the
 * end.
 *
 * @throws NonFiniteError when a loss, a gradient or a weight is not finite
 */
export async function trainLoop(step: TrainingStep, from: Progress, options: LoopOptions): Promise<LoopEnd> {
  const { encoder, source, objective, settings, subset, folder, signal, strict, onSkip, onWarning } = options;
  const { epochs, batch, seed } = settings;
  const totalSteps = Math.ceil(subset.length / batch) * epochs;
  const rateOf = schedule(settings, objective.stepsPerBatch, totalSteps, from.attempt);
  const [feasibility, collapse] = [new FeasibilityWatch(), new CollapseWatch()];
  // A resumed run continues from what it had measured before it stopped.
  for (const metrics of from.step > 0 ? (folder?.recentMetrics(patience) ?? []) : []) collapse.observe(metrics);
  let progress = from;
  let saved = performance.now();
  const save = async (): Promise<void> => {
    await step.pull();
    step.checkFinite();
    folder?.save({ progress, tensors: step.state() });
    saved = performance.now();
  };
  if (progress.step === 0) await save();
  const remaining = {
    subset,
    epochs,
    batch,
    framing: encoder.framing,
    seed,
    ...(onSkip && { onSkip }),
    ...(strict && { strict }),
  };
  let current = progress.step;
  try {
    for await (const { images, after } of remainingBatches(source, remaining, progress)) {
      // Checked before a step, not after: a signal during the very last one interrupts nothing.
      if (signal?.aborted) {
        await save();
        return { progress, reason: "interrupted" };
      }
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
      const warning = objective.constraint && feasibility.observe(metrics);
      if (warning) onWarning?.(warning);
      const fault = collapse.observe(metrics);
      if (fault && options.endsAtCollapse) return { progress, reason: "collapsed" };
      if (fault) tellFault(fault, { ...(strict && { strict }), ...(onWarning && { onWarning }) });
      if (options.judge?.isDue(progress.step, totalSteps)) {
        await step.pull();
        await options.judge.during(progress.step, step.parameters);
      }
      if (performance.now() - saved > checkpointMinutes * 60_000) await save();
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
  }
  return { progress, reason: "done" };
}

/** The learning rate of optimiser step k of a batch; each new attempt has a third of the one before. */
function schedule(
  { learningRate, warmup }: TrainingSettings,
  stepsPerBatch: number,
  batches: number,
  attempt = 0,
): (batch: number) => (k: number) => number {
  const total = batches * stepsPerBatch;
  const warm = Math.round(warmup * total);
  const peak = learningRate / 3 ** attempt;
  return (batch) => (k) => learningRateAt(batch * stepsPerBatch + k, peak, warm, total);
}
