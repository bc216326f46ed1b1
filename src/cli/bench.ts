import { type BenchModelName, type BenchResult, bench, benchModels } from "../profiling/index.ts";
import { benchSummary, benchTable } from "../report/index.ts";
import { command } from "./command.ts";
import { type Flags, flag, option } from "./option.ts";
import { compileFlags, computeOptions, microBatchOption } from "./options.ts";
import { oneOf, parseCount } from "./parsers.ts";
import { ProgressLine } from "./progress.ts";

const options = {
  model: option("--model <name>", oneOf(Object.keys(benchModels) as BenchModelName[]), {
    help: "architecture, with random weights",
    topic: "encoder",
    default: "vit-b-32",
  }),
  batch: option("--batch <n>", parseCount, { help: "images per step", topic: "training", default: "8" }),
  imageSize: option("--image-size <n>", parseCount, {
    help: "side of the input in pixels (default: the model's own)",
    topic: "encoder",
  }),
  method: option("--method <name>", oneOf(["lore", "fare"]), {
    help: "what is minimised",
    topic: "objective",
    default: "lore",
  }),
  stepsPerBatch: option("--steps-per-batch <k>", parseCount, {
    help: "optimiser steps per batch (default: 5 for lore, 1 for fare)",
    topic: "training",
  }),
  attackPrecision: option("--attack-precision <type>", oneOf(["float32", "int8"]), {
    help: "element type of the inner attack's products with weights",
    topic: "attack",
    default: "float32",
  }),
  microBatch: microBatchOption,
  recompute: flag("--recompute", {
    help: "compute activations again in backward passes instead of keeping them",
    topic: "training",
  }),
  repeats: option("--repeats <n>", parseCount, {
    help: "steps that count, after one to warm up",
    topic: "results",
    default: "3",
  }),
  ...computeOptions,
};

type BenchFlags = Flags<typeof options>;

export function benchCommand() {
  return command({
    name: "bench",
    description: "time a training step and compare it with the rate of its matrix products alone",
    options,
    essentials: ["model", "batch", "method", "device", "threads"],
    examples: ["bench --model vit-b-32 --batch 8", "bench --model deit-tiny --batch 16 --threads 1 --json"],
    run,
  });
}

async function run(flags: BenchFlags): Promise<void> {
  const { device: _, json, ...options } = flags;
  const progress = new ProgressLine();
  const result = await bench({
    ...options,
    ...(await compileFlags(flags)),
    phases: !json,
    onProgress: (what, done, total) => progress.update(what, done, total),
  });
  progress.end();
  process.stdout.write(json ? `${JSON.stringify(figures(flags, result), undefined, 2)}\n` : `${text(flags, result)}\n`);
}

function figures(
  { model, batch }: BenchFlags,
  { stepsPerBatch, seconds, flops, gemmRate, peakMemoryBytes }: BenchResult,
) {
  return {
    model,
    batch,
    stepsPerBatch,
    secondsPerStep: seconds.median,
    imagesPerSecond: batch / seconds.median,
    gflops: flops / seconds.median / 1e9,
    gemmShare: flops / seconds.median / gemmRate,
    peakMemoryBytes,
  };
}

function text({ model, batch, method, repeats }: BenchFlags, result: BenchResult): string {
  const { imageSize, stepsPerBatch } = result;
  const title = `${model} at ${imageSize} pixels, batch ${batch}, ${method}, K = ${stepsPerBatch}; counted steps: ${repeats}, after one to warm up`;
  return `${title}\n\n${benchTable(result)}\n\n${benchSummary(batch, result)}`;
}
