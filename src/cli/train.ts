import { join } from "node:path";
import type { Command } from "commander";
import type { ChosenBlend } from "../blending/index.ts";
import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import { saveFloat16Copies } from "../models/index.ts";
import {
  batchCut,
  finetune,
  formatBytes,
  type MemoryPlan,
  readRun,
  type StepMetrics,
  type TrainingSettings,
  type Verdict,
} from "../training/index.ts";
import { classifierOf } from "./classifier.ts";
import { command } from "./command.ts";
import { presetNames } from "./config.ts";
import { openData, Warnings } from "./data.ts";
import { encoderKinds, openEncoder, openingOptions } from "./encoder.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { printJson } from "./measuring.ts";
import { objectiveOf, objectiveOptions } from "./objective.ts";
import { type Flags, flag, list, option } from "./option.ts";
import { classesOption, compileFlags, computeOptions, microBatchOption, readOptionsWithBatch } from "./options.ts";
import { parseBytes, parseCount, parseFraction, parseNumber, parseShare, text } from "./parsers.ts";
import { duration, ProgressLine } from "./progress.ts";
import { absolute } from "./results.ts";
import { SkipList } from "./skips.ts";
import { judgedNote, verdictText } from "./train-verdict.ts";

export const trainOptions = {
  encoder: option("--encoder <encoder>", text, { help: encoderKinds, topic: "encoder" }),
  ...openingOptions,
  data: option("--data <data>", text, {
    help: "images, with labels only for tecoa: a folder, WebDataset tars, Parquet files, or synthetic[:COUNT[:SPLIT[:LABEL]]]",
    topic: "data",
  }),
  classes: classesOption,
  out: option("--out <run>", text, { help: "folder to create for the run", topic: "results" }),
  resume: option("--resume <run>", text, {
    help: "continue an interrupted run, with the settings it was started with",
    topic: "results",
  }),
  ...objectiveOptions,
  epochs: option("--epochs <n>", parseCount, {
    help: "passes over the data (default: for robust as many as see 8192 images, at most 50, for others 2)",
    topic: "training",
  }),
  learningRate: option("--learning-rate <rate>", parseNumber, {
    help: "peak learning rate (default: 6e-4 for robust, 1e-5 for others)",
    topic: "training",
  }),
  weightDecay: option("--weight-decay <rate>", parseNumber, {
    help: "decoupled weight decay (default: 1e-4)",
    topic: "training",
  }),
  warmup: option("--warmup <share>", parseFraction, {
    help: "share of the steps spent on linear warm-up (default: 0.07)",
    topic: "training",
  }),
  clipGradient: option("--clip-gradient <norm>", parseNumber, {
    help: "largest l2 norm of the gradient",
    topic: "training",
  }),
  blend: option("--blend <weight>", parseShare, {
    help: "go this far from the original's weights to the trained ones; 1 is all the way (default: 0.5 for robust, 1 for others)",
    topic: "results",
  }),
  keep: option("--keep <share>", parseShare, {
    help: "go only as far as keeps this share of the original's behaviour on held-out images; 0: not checked (default: 1 for robust, 0 for others)",
    topic: "results",
  }),
  microBatch: microBatchOption,
  memory: option("--memory <size>", parseBytes, {
    help: "train within this memory (8GiB, 512MiB), with smaller micro-batches where necessary",
    topic: "training",
  }),
  recompute: flag("--recompute", {
    help: "compute activations again in backward passes: less memory, about a third more time",
    topic: "training",
  }),
  trainable: list("--trainable <pattern...>", {
    help: "ONNX: train only weights of such names; * is any characters",
    topic: "training",
  }),
  freeze: list("--freeze <pattern...>", { help: "ONNX: leave weights of such names as they are", topic: "training" }),
  float16Copy: flag("--float16-copy", {
    help: "also write ONNX files in float16, as transformers.js loads them with dtype fp16",
    topic: "results",
  }),
  ...readOptionsWithBatch("16 for robust, 64 for others"),
  ...computeOptions,
  config: option("--config <file>", text, {
    help: "JSON file with any of these options, by their names; what is given here wins",
    topic: "results",
  }),
  preset: option("--preset <name>", text, {
    help: `a named set of options: ${presetNames.join(", ")}`,
    topic: "objective",
  }),
};

type GivenFlags = Flags<typeof trainOptions>;

/** The flags that a run is started with. */
export type TrainFlags = Omit<GivenFlags, "resume"> & Required<Pick<GivenFlags, "encoder" | "data" | "out">>;

export function trainCommand() {
  return command({
    name: "train",
    description: "fine-tune an encoder so that its embeddings withstand adversarial perturbations",
    options: trainOptions,
    essentials: ["encoder", "data", "out", "epsilon", "resume"],
    examples: [
      "train --encoder openai/clip-vit-base-patch32 --data photos --out runs/robust",
      "train --encoder facebook/dinov2-small --data photos --method lore --epsilon 4/255 --out runs/lore",
    ],
    run: async (given, command) => {
      const { resume, encoder, data, out, ...others } = given;
      if (resume !== undefined) return run(savedFlags(resume, command), resume);
      if (encoder === undefined) throw missing("encoder");
      if (data === undefined) throw missing("data");
      if (out === undefined) throw missing("out");
      return run({ ...others, encoder, data, out });
    },
  });
}

function missing(name: string): UsageError {
  return new UsageError(`--${name} is missing (or --resume RUN, to continue a run).`);
}

/** The flags a run was started with. */
function savedFlags(folder: string, command: Command): TrainFlags {
  const mayDiffer = ["resume", "device", "threads", "json"];
  const extra = command.options.find(
    (option) =>
      command.getOptionValueSource(option.attributeName()) === "cli" && !mayDiffer.includes(option.attributeName()),
  );
  if (extra)
    throw new UsageError(
      `${extra.long} cannot be given with --resume: a run goes on with the settings it was started with.`,
    );
  const { json: _, ...flags } = (readRun(folder) as { readonly flags?: Partial<TrainFlags> } | null)?.flags ?? {};
  if (!isComplete(flags)) throw new UsageError(`${folder}/run.json was not written by lore train: it holds no flags.`);
  const { device, threads, json } = command.opts<TrainFlags>();
  return {
    ...flags,
    out: folder,
    ...(command.getOptionValueSource("device") === "cli" && { device }),
    ...defined({ threads, json }),
  };
}

/** The flags as a resumed run reads them, from whichever folder it is started in. */
function resumable(flags: TrainFlags): TrainFlags {
  const { encoder, data, classes, templates } = flags;
  return {
    ...flags,
    ...defined({
      encoder: absolute(encoder),
      data: absolute(data),
      classes: classes && absolute(classes),
      templates: templates && absolute(templates),
    }),
  };
}

function isComplete(flags: Partial<TrainFlags>): flags is TrainFlags {
  return flags.encoder !== undefined && flags.data !== undefined && flags.epsilon !== undefined;
}

async function run(flags: TrainFlags, resumed?: string): Promise<void> {
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
    onJudged: (recorded) => progress.note(judgedNote(recorded)),
    onStep: (metrics, total) => {
      last = metrics;
      progress.update(flags.method, metrics.step, total, detail(metrics));
    },
  });
  const { finished, steps, blend, verdict, settings } = await training.finally(() => {
    stop.dispose();
    progress.end();
    if (`${skips}`) process.stderr.write(`${skips}\n`);
  });
  const seconds = (performance.now() - started) / 1000;
  if (finished && flags.float16Copy) await copyInFloat16(flags, encoder.imageSize);
  report(flags, { finished, steps, seconds, last, blend, verdict, settings });
  if (!finished) process.exitCode = 130;
}

async function copyInFloat16({ out }: TrainFlags, imageSize: number): Promise<void> {
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
  readonly verdict: Verdict | undefined;
  readonly settings: TrainingSettings;
}

function report(flags: TrainFlags, outcome: Outcome): void {
  const { finished, steps, seconds, last, blend, verdict } = outcome;
  const resume = `Stopped after ${steps} batches. Continue with: lore train --resume ${flags.out}\n`;
  if (flags.json) {
    if (!finished) process.stderr.write(resume);
    printJson({ run: flags.out, finished, steps, seconds, last, blend, verdict });
  } else if (finished) {
    process.stdout.write(
      `${steps} batches in ${duration(seconds)}.${blend ? ` ${describeBlend(blend)}` : ""} The encoder is ${flags.out}/encoder; any command takes ${flags.out} as --encoder.\n\n${judgement(flags, outcome)}\n`,
    );
  } else {
    process.stdout.write(resume);
  }
}

function judgement({ encoder, data, out, epsilon }: TrainFlags, { verdict, settings, seconds }: Outcome): string {
  if (!verdict)
    return "Not judged: that takes 32 images which training does not use. Give 320 or more, or a --limit that leaves some over.";
  const { learningRate, epochs } = settings;
  return verdictText(verdict, { encoder, data, run: out, epsilon, learningRate, epochs, seconds });
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

function settingsOf(flags: TrainFlags) {
  const { epochs, batch, learningRate, weightDecay, warmup, seed, strict } = flags;
  const { limit, microBatch, memory, recompute, clipGradient, blend: largest, keep } = flags;
  return {
    ...defined({ seed, epochs, batch, learningRate, weightDecay, warmup, limit }),
    ...batchCut(defined({ microBatch, memory })),
    ...defined({ recompute, clipGradient, strict }),
    blend: defined({ largest, keep }),
  };
}
