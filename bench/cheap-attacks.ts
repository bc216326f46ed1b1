/**
 * What cheaper inner attacks do to robustness: DeiT-Tiny at 112 pixels is fine-tuned by LORE with each, on the same images for
 * the same number of steps, then measured under PGD-20. Compute is counted, since seconds depend on the machine's other work.
 *
 *     npx tsx bench/cheap-attacks.ts --encoder deit-tiny/model.safetensors --data tiny-imagenet-50 --out runs/cheap
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { parseCount } from "../src/cli/options.ts";
import { formatEpsilon } from "../src/epsilon.ts";
import { writeAtomically } from "../src/models/files.ts";
import { percent } from "../src/report/table.ts";
import {
  defaultVariants,
  measureVariant,
  parseVariant,
  type RunResult,
  type RunSettings,
  testEpsilons,
  type Variant,
  variantName,
} from "./cheap-attacks-runs.ts";
import { main } from "./main.ts";
import { digits, markdownTable } from "./markdown.ts";

interface Flags extends RunSettings {
  readonly variant?: readonly Variant[];
  readonly seed: readonly number[];
  readonly out: string;
}

const command = new Command("cheap-attacks")
  .description("robust accuracy against the inner attack's compute")
  .requiredOption("--encoder <weights>", "DeiT-Tiny")
  .requiredOption("--data <folder>", "holds train/ and val/, classes.json beside them")
  .option(
    "--variant <kind:steps[:step]...>",
    `pgd, apgd, warm (start), low (resolution) or int8, step as a share of epsilon (default: ${defaultVariants.join(" ")})`,
    (text: string, before: readonly Variant[] = []) => [...before, parseVariant(text)],
  )
  .option("--seed <n...>", "of a run each", (text: string, before: readonly number[] = []) => [...before, Number(text)])
  .option("--images <n>", "training images", parseCount, 256)
  .option("--epochs <n>", "passes over them", parseCount, 3)
  .option("--steps-per-batch <k>", "optimiser steps a batch", parseCount, 2)
  .option("--test-images <n>", "validation images", parseCount, 300)
  .option("--threads <n>", "threads on CPU", parseCount, 1)
  .option("--out <folder>", "keeps a file a run; those that are there are not run again", "runs/cheap-attacks")
  .action(run);

async function run({ variant, seed: seeds = [0], out, ...settings }: Flags): Promise<void> {
  for (const seed of seeds) {
    for (const each of variant ?? defaultVariants.map(parseVariant)) {
      const path = join(out, `${variantName(each).replaceAll(":", "-")}-seed-${seed}.json`);
      if (existsSync(path)) continue;
      const result = await measureVariant(each, seed, settings);
      writeAtomically(path, `${JSON.stringify(result, undefined, 1)}\n`);
      process.stderr.write(`${cells(result).join("  ")}\n`);
    }
  }
  process.stdout.write(`${markdownTable(header, runsIn(out).map(cells))}\n`);
}

function runsIn(folder: string): readonly RunResult[] {
  const runs = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as RunResult);
  const place = ({ variant, seed }: RunResult): string =>
    [variant.kind, String(1000 - variant.steps), variant.stepSize ?? 0, seed].join();
  return runs.sort((a, b) => (place(a) < place(b) ? -1 : 1));
}

const header = [
  "variant",
  "seed",
  "passes",
  "attack, GFLOP an image",
  "step, GFLOP an image",
  "clean",
  ...testEpsilons.map((epsilon) => `PGD ${formatEpsilon(epsilon)}`),
  "training, s",
];

function cells(result: RunResult): string[] {
  const { variant, seed, passes, attackFlops, stepFlops, clean, robust, trainingSeconds } = result;
  const extra = [passes.low > 0 && `${passes.low} low`, passes.forward > 0 && `${passes.forward} forward`];
  return [
    variantName(variant),
    `${seed}`,
    [passes.full, ...extra.filter(Boolean)].join(" + "),
    digits(attackFlops / 1e9),
    digits(stepFlops / 1e9),
    percent(clean),
    ...robust.map(percent),
    trainingSeconds.toFixed(0),
  ];
}

await main(command);
