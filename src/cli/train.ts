import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import type { ChosenBlend } from "../blending/index.ts";
import { UsageError } from "../errors.ts";
import { saveFloat16Copies } from "../models/index.ts";
import { batchCut, finetune, formatBytes, type MemoryPlan, readRun, type StepMetrics } from "../training/index.ts";
import { classifierOf } from "./classifier.ts";
import { presetNames } from "./config.ts";
import { openData, Warnings } from "./data.ts";
import { type EncoderFlags, encoderKinds, openEncoder, type WeightFlags, withEncoderFlags } from "./encoder.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { type ObjectiveFlags, objectiveOf, withObjectiveFlags } from "./objective.ts";
import {
  type ComputeFlags,
  compileFlags,
  type ImageFlags,
  microBatchOption,
  parseBytes,
  parseCount,
  parseFraction,
  parseNumber,
  parseShare,
  withComputeFlags,
  withImageFlags,
} from "./options.ts";
import { duration, ProgressLine } from "./progress.ts";
import { SkipList } from "./skips.ts";

interface Flags extends ComputeFlags, Omit<ImageFlags, "batch">, EncoderFlags, WeightFlags, ObjectiveFlags {
  readonly encoder: string;
  readonly data: string;
  readonly out: string;
  readonly batch?: number;
  readonly epochs?: number;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly warmup?: number;
  readonly clipGradient?: number;
  readonly blend?: number;
  readonly keep?: number;
  readonly microBatch?: number;
  readonly memory?: number;
  readonly recompute?: true;
  readonly float16Copy?: true;
}

export function trainCommand(): Command {
  const start = new Command("train")
    .description("fine-tune an encoder so that its embeddings withstand adversarial perturbations")
    .option("--encoder <encoder>", encoderKinds)
    .option(
      "--data <data>",
      "images, with labels only for tecoa: a folder, WebDataset tars, Parquet files, or synthetic[:COUNT[:SPLIT[:LABEL]]]",
    )
    .option("--out <run>", "folder to create for the run")
    .option("--resume <run>", "continue an interrupted run, with the settings it was started with");
  const command = withObjectiveFlags(start)
    .option(
      "--epochs <n>",
      "passes over the data (default: as many as see 8192 images, at most 50, for robust, 2 for others)",
      parseCount,
    )
    .option("--learning-rate <rate>", "peak learning rate (default: 6e-4 for robust, 1e-5 for others)", parseNumber)
    .option("--weight-decay <rate>", "decoupled weight decay (default: 1e-4)", parseNumber)
    .option("--warmup <share>", "share of the steps spent on linear warm-up (default: 0.07)", parseFraction)
    .option("--clip-gradient <norm>", "largest l2 norm of the gradient", parseNumber)
    .option(
      "--blend <weight>",
      "go this far from the original's weights to the trained ones; 1 is all the way (default: 0.5 for robust, 1 for others)",
      parseShare,
    )
    .option(
      "--keep <share>",
      "go no further than keeps this share of the original's behaviour on held-out images; 0: not checked (default: 1 for robust, 0 for others)",
      parseShare,
    )
    .addOption(microBatchOption())
    .option(
      "--memory <size>",
      "train within this memory (8GiB, 512MiB), by smaller micro-batches where it has to be",
      parseBytes,
    )
    .option("--recompute", "compute activations again in backward passes: less memory, about a third more time")
    .option("--trainable <pattern...>", "of an ONNX file: train only weights of such names; * is any characters")
    .option("--freeze <pattern...>", "of an ONNX file: leave weights of such names as they are")
    .option("--float16-copy", "also write ONNX files in float16, as transformers.js loads them with dtype fp16")
    .option("--config <file>", "JSON file with any of these options, by their names; what is given here wins")
    .option("--preset <name>", `a named set of options: ${presetNames.join(", ")}`);
  return withComputeFlags(withImageFlags(withEncoderFlags(command), "16 for robust, 64 for others")).action(
    async (given: Flags & { readonly resume?: string }) => {
      if (given.resume !== undefined) return run(savedFlags(given.resume, command), given.resume);
      for (const name of ["encoder", "data", "out"] as const) {
        if (given[name] === undefined)
          throw new UsageError(`--${name} is missing (or --resume RUN, to continue a run).`);
      }
      return run(given);
    },
  );
}

/** The flags a run was started with. */
function savedFlags(folder: string, command: Command): Flags {
  const mayDiffer = ["resume", "device", "threads", "json"];
  const extra = command.options.find(
    (option) =>
      command.getOptionValueSource(option.attributeName()) === "cli" && !mayDiffer.includes(option.attributeName()),
  );
  if (extra)
    throw new UsageError(
      `${extra.long} cannot be given with --resume: a run goes on with the settings it was started with.`,
    );
  const { json: _, ...flags } = (readRun(folder) as { readonly flags?: Partial<Flags> } | null)?.flags ?? {};
  if (!isComplete(flags)) throw new UsageError(`${folder}/run.json was not written by lore train: it holds no flags.`);
  const { device, threads, json } = command.opts<Flags>();
  return {
    ...flags,
    out: folder,
    ...(command.getOptionValueSource("device") === "cli" && { device }),
    ...(threads !== undefined && { threads }),
    ...(json && { json }),
  };
}

/** The flags as a resumed run reads them, from whichever folder it is started in. */
function resumable(flags: Flags): Flags {
  const { encoder, data, classes, templates } = flags;
  const absolute = (path: string): string => (existsSync(path) ? resolve(path) : path);
  const paths = { encoder: absolute(encoder), data: absolute(data) };
  return {
    ...flags,
    ...paths,
    ...(classes !== undefined && { classes: absolute(classes) }),
    ...(templates !== undefined && { templates: absolute(templates) }),
  };
}

function isComplete(flags: Partial<Flags>): flags is Flags {
  return flags.encoder !== undefined && flags.data !== undefined && flags.epsilon !== undefined;
}

async function run(flags: Flags, resumed?: string): Promise<void> {
  const planned = objectiveOf(flags);
  const progress = new ProgressLine();
  const warnings = new Warnings(progress);
  const source = await openData(flags.data, flags, warnings);
  const encoder = await openEncoder(flags.encoder, flags, progress);
  const objective =
    typeof planned === "function"
      ? planned(
          await classifierOf(encoder, source, {
            ...flags,
            onWarning: warnings.tell,
            onProgress: (done, count) => progress.update("class embeddings", done, count),
          }),
        )
      : planned;
  const skips = new SkipList();
  const stop = stopOnInterrupt(() => progress.note("Stopping after this batch; press Ctrl-C again to stop at once."));
  const started = performance.now();
  let last: StepMetrics | undefined;
  const training = finetune(encoder, source, objective, {
    ...(await compileFlags(flags)),
    ...settingsOf(flags),
    run: flags.out,
    ...(resumed !== undefined && { resume: true }),
    description: { flags: resumable(flags) },
    signal: stop.signal,
    onSkip: skips.add,
    onPlan: (plan) => progress.note(describePlan(plan)),
    onWarning: warnings.tell,
    onStep: (metrics, total) => {
      last = metrics;
      progress.update(flags.method, metrics.step, total, detail(metrics));
    },
  });
  const { finished, steps, blend } = await training.finally(() => {
    stop.dispose();
    progress.end();
    if (`${skips}`) process.stderr.write(`${skips}\n`);
  });
  const seconds = (performance.now() - started) / 1000;
  if (finished && flags.float16Copy) await copyInFloat16(flags, encoder.imageSize);
  report(flags, { finished, steps, seconds, last, blend });
  if (!finished) process.exitCode = 1;
}

async function copyInFloat16({ out }: Flags, imageSize: number): Promise<void> {
  for (const { path, difference } of await saveFloat16Copies(join(out, "encoder"), imageSize)) {
    const share = `${(100 * difference).toPrecision(2)} %`;
    process.stderr.write(`${path}: its outputs differ by ${share} from the float32 file's, on an image of noise.\n`);
  }
}

interface Outcome {
  readonly finished: boolean;
  readonly steps: number;
  readonly seconds: number;
  readonly last: StepMetrics | undefined;
  readonly blend: ChosenBlend | undefined;
}

function report(flags: Flags, { finished, steps, seconds, last, blend }: Outcome): void {
  const resume = `Stopped after ${steps} batches. Continue with: lore train --resume ${flags.out}\n`;
  if (flags.json) {
    if (!finished) process.stderr.write(resume);
    process.stdout.write(
      `${JSON.stringify({ run: flags.out, finished, steps, seconds, last, blend }, undefined, 2)}\n`,
    );
  } else if (finished) {
    process.stdout.write(
      `${steps} batches in ${duration(seconds)}.${blend ? ` ${describeBlend(blend)}` : ""} The encoder is ${flags.out}/encoder; any command takes ${flags.out} as --encoder.\n`,
    );
  } else {
    process.stdout.write(resume);
  }
}

function detail(metrics: StepMetrics): string {
  const { advDistance, advLoss, cleanDistance, threshold, lambdaMean, imagesPerSecond } = metrics;
  const loss = advLoss === undefined ? "" : `loss ${advLoss.toPrecision(4)}  `;
  const constraint =
    threshold === undefined ? "" : ` of ${threshold.toPrecision(3)}  lambda ${lambdaMean!.toPrecision(3)}`;
  const clean = cleanDistance === undefined ? "" : `  clean ${cleanDistance.toPrecision(4)}`;
  return `${loss}adv ${advDistance.toPrecision(4)}${clean}${constraint}  ${imagesPerSecond.toPrecision(3)} images/s`;
}

function describeBlend({ weight, kept, keep }: ChosenBlend): string {
  return `Blended ${weight.toFixed(2)} of the way from the original, which keeps ${(100 * kept).toFixed(0)} % of its behaviour on held-out images (at least ${100 * keep} % asked for).`;
}

function describePlan({ batch, microBatch, primalMicroBatch, recompute, bytes }: MemoryPlan): string {
  const fewer = primalMicroBatch < microBatch ? ` (${primalMicroBatch} in optimiser steps)` : "";
  const again = recompute ? ", activations computed again" : "";
  return `Micro-batches of ${microBatch} images${fewer}, of a batch of ${batch}${again}: about ${formatBytes(bytes)} of memory.`;
}

function settingsOf(flags: Flags) {
  const { epochs, batch, learningRate, weightDecay, warmup, seed, strict } = flags;
  const { limit, microBatch, memory, recompute, clipGradient } = flags;
  return {
    seed,
    ...(epochs !== undefined && { epochs }),
    ...(batch !== undefined && { batch }),
    ...(learningRate !== undefined && { learningRate }),
    ...(weightDecay !== undefined && { weightDecay }),
    ...(warmup !== undefined && { warmup }),
    ...(limit !== undefined && { limit }),
    ...batchCut({ ...(microBatch !== undefined && { microBatch }), ...(memory !== undefined && { memory }) }),
    ...(recompute && { recompute }),
    blend: {
      ...(flags.blend !== undefined && { largest: flags.blend }),
      ...(flags.keep !== undefined && { keep: flags.keep }),
    },
    ...(clipGradient !== undefined && { clipGradient }),
    ...(strict && { strict }),
  };
}
