import { Command, Option } from "commander";
import { type BenchModelName, type BenchOptions, type BenchResult, bench, benchModels } from "../profiling/index.ts";
import { benchSummary, benchTable } from "../report/index.ts";
import { type ComputeFlags, compileFlags, microBatchOption, parseCount, withComputeFlags } from "./options.ts";
import { ProgressLine } from "./progress.ts";

type Flags = ComputeFlags &
  Omit<BenchOptions, "model" | "device" | "threads" | "phases" | "onProgress"> & { readonly model: BenchModelName };

export function benchCommand(): Command {
  const command = new Command("bench")
    .description("time a training step, and say how near it comes to the rate of its matrix products alone")
    .addOption(
      new Option("--model <name>", "architecture, with random weights")
        .choices(Object.keys(benchModels))
        .default("vit-b-32"),
    )
    .option("--batch <n>", "images a step", parseCount, 8)
    .option("--image-size <n>", "side of the input in pixels (default: the model's own)", parseCount)
    .addOption(new Option("--method <name>", "what is minimised").choices(["lore", "fare"]).default("lore"))
    .option("--steps-per-batch <k>", "optimiser steps a batch (default: 5 for lore, 1 for fare)", parseCount)
    .addOption(
      new Option("--attack-precision <type>", "of the inner attack's products by weights")
        .choices(["float32", "int8"])
        .default("float32"),
    )
    .addOption(microBatchOption())
    .option("--recompute", "compute activations again in backward passes instead of keeping them")
    .option("--repeats <n>", "counted steps, after one to warm up", parseCount, 3);
  return withComputeFlags(command).action(run);
}

async function run(flags: Flags): Promise<void> {
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

function figures({ model, batch }: Flags, { stepsPerBatch, seconds, flops, gemmRate, peakMemoryBytes }: BenchResult) {
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

function text({ model, batch, method, repeats }: Flags, result: BenchResult): string {
  const { imageSize, stepsPerBatch } = result;
  const title = `${model} at ${imageSize} pixels, batch ${batch}, ${method}, K = ${stepsPerBatch}; counted steps: ${repeats}, after one to warm up`;
  return `${title}\n\n${benchTable(result)}\n\n${benchSummary(batch, result)}`;
}
