import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { blend, HeldOutImages, holdOut, largestBlend } from "../blending/index.ts";
import { balancedSubset, openSource } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { jsonFile, writeAtomically } from "../files.ts";
import { openTemplates } from "../inference/index.ts";
import { type FrontPoint, front } from "../measure/tradeoff/index.ts";
import { type Encoder, saveEncoder } from "../models/index.ts";
import { attackTitle, chartFile, frontChart, percent, textTable } from "../report/index.ts";
import type { BlendFront } from "../results/index.ts";
import { readRun, trainedEncoder } from "../training/index.ts";
import { type AttackFlags, attacksOf, withAttackFlags } from "./attacks.ts";
import { type EncoderFlags, encoderKinds, openEncoder, withEncoderFlags } from "./encoder.ts";
import { type ComputeFlags, compileFlags, parseCount, parseSeed, parseShare, withComputeFlags } from "./options.ts";
import { ProgressLine } from "./progress.ts";

interface Flags extends ComputeFlags, EncoderFlags, AttackFlags {
  readonly encoder: readonly string[];
  readonly heldOut?: string;
  readonly images: number;
  readonly data?: string;
  readonly limit?: number;
  readonly offset: number;
  readonly classes?: string;
  readonly templates?: string;
  readonly weights: readonly number[];
  readonly weight?: number;
  readonly keep?: number;
  readonly out?: string;
}

export function blendCommand(): Command {
  const command = new Command("blend")
    .description("the trade-off after training: weights between an encoder and its robust version, measured and saved")
    .requiredOption(
      "--encoder <original and robust...>",
      `two versions of one encoder, the original first: ${encoderKinds}; a run folder is the weights as training left them`,
    )
    .option(
      "--held-out <data>",
      "images that were not trained on, without labels: tell what a blend keeps (default: those that a run kept aside)",
    )
    .option("--images <n>", "held-out images to use", parseCount, 256)
    .option("--data <data>", "labelled images: also measure accuracy, clean and under --attack")
    .option("--limit <n>", "labelled images to use, taken class by class in turn", parseCount)
    .option("--offset <n>", "labelled images to leave out first", parseSeed, 0)
    .option("--classes <file>", "JSON file with class names of the labelled images")
    .option("--templates <prompts>", "zero-shot: prompts of the class names, as in lore evaluate")
    .addOption(
      new Option("--weights <list>", "blends to look at, 0 the original, 1 the robust encoder")
        .argParser(parseShares)
        .default([0, 0.25, 0.5, 0.75, 1], "0,0.25,0.5,0.75,1"),
    )
    .option("--weight <w>", "save this blend to --out", parseShare)
    .option("--keep <share>", "save the blend that keeps this share of the original's behaviour", parseShare)
    .option("--out <folder>", "where the blend and the picture of the front go; any command takes it as --encoder");
  return withComputeFlags(
    withEncoderFlags(withAttackFlags(command)).option(
      "--image-size <n>",
      "side of the input in pixels (default: the encoder's own)",
      parseCount,
    ),
  ).action(run);
}

function parseShares(text: string): readonly number[] {
  try {
    return text.split(",").map((part) => parseShare(part));
  } catch {
    throw new InvalidArgumentError("It must be shares from 0 to 1 with commas between them: 0,0.5,1.");
  }
}

async function run(flags: Flags): Promise<void> {
  const [first, second, ...more] = flags.encoder;
  if (first === undefined || second === undefined || more.length > 0)
    throw new UsageError("--encoder takes two: the original and its robust version.");
  if (flags.weight !== undefined && flags.keep !== undefined)
    throw new UsageError("--weight and --keep each choose the blend to save: give one of them.");
  const choice = flags.weight !== undefined || flags.keep !== undefined;
  if (choice !== (flags.out !== undefined))
    throw new UsageError("A blend is saved by --out FOLDER together with --weight or --keep.");
  if (flags.out !== undefined && existsSync(flags.out))
    throw new UsageError(`${flags.out} is there already; give another --out. Nothing was overwritten.`);

  const progress = new ProgressLine();
  const compute = await compileFlags(flags);
  const original = await openEncoder(first, flags, progress);
  const robust = await openRobust(original, second, flags, progress);
  const { source: heldOut, indices } = await heldOutImages(second, flags);
  const images = await HeldOutImages.open(original, heldOut, indices, { ...compute, batch: 16 });
  try {
    const points = await front(original, robust, flags.weights, images, {
      ...(await labelledOptions(flags)),
      attacks: attacksOf(flags),
      onPoint: ({ weight }, done, total) => progress.update("blends", done, total, `weight ${weight}`),
    });
    progress.end();
    const chosen = await choose(flags, original, robust, images);
    if (flags.out !== undefined && chosen) {
      const found = { original: first, robust: second, chosen, points };
      save(flags.out, blend(original, robust, chosen.weight), found);
    }
    print(flags, heldOut.name, points, chosen);
  } finally {
    await images.dispose();
  }
}

async function openRobust(original: Encoder, spec: string, flags: Flags, progress: ProgressLine): Promise<Encoder> {
  const isRun = existsSync(join(spec, "run.json")) && existsSync(join(spec, "checkpoints"));
  return isRun
    ? trainedEncoder(original, spec)
    : openEncoder(spec, { ...flags, imageSize: original.imageSize }, progress);
}

/** @throws UsageError when none are given, and none can be told from a run */
async function heldOutImages(robust: string, { heldOut, images, seed }: Flags) {
  if (heldOut !== undefined) {
    const source = await openSource(heldOut, { seed });
    return { source, indices: balancedSubset(source, images, seed) };
  }
  const run = existsSync(join(robust, "run.json")) ? (readRun(robust) as Partial<TrainedRun>) : {};
  if (run.flags?.data === undefined)
    throw new UsageError(
      "--held-out is missing: images that were not trained on. Only a run folder says which it kept.",
    );
  const source = await openSource(run.flags.data, { seed: run.flags.seed });
  const { limit = source.items.length } = run.flags;
  const isSpare = existsSync(join(robust, "blend.json")) || limit + images <= source.items.length;
  if (!isSpare)
    throw new UsageError(`${robust} was trained on all images of ${run.flags.data}: give others with --held-out.`);
  return { source, indices: holdOut(source, limit, run.flags.seed).heldOut.slice(0, images) };
}

/** What `run.json` says of the data. */
interface TrainedRun {
  readonly flags: { readonly data: string; readonly limit?: number; readonly seed: number };
}

async function labelledOptions({ data, classes, templates, limit, offset, seed, ...flags }: Flags) {
  if (data === undefined) return {};
  const labelled = await openSource(data, { seed, ...(classes !== undefined && { classesFile: classes }) });
  return {
    labelled,
    evaluation: {
      ...(await compileFlags({ ...flags, seed })),
      seed,
      offset,
      ...(limit !== undefined && { limit }),
      ...(templates !== undefined && { templates: openTemplates(templates) }),
    },
  };
}

async function choose({ weight, keep }: Flags, original: Encoder, robust: Encoder, images: HeldOutImages) {
  if (weight !== undefined) return { weight, ...(await images.fidelity(blend(original, robust, weight).parameters)) };
  return keep === undefined
    ? undefined
    : largestBlend(images, original.parameters, robust.parameters, { keep, largest: 1 });
}

function save(out: string, encoder: Encoder, found: BlendFront & { readonly points: readonly FrontPoint[] }): void {
  saveEncoder(encoder, join(out, "encoder"));
  writeAtomically(...jsonFile(join(out, "blend.json"), found));
  writeAtomically(join(out, "front.svg"), chartFile(frontChart(found.points, `Saved: ${found.chosen.weight}`)));
}

function print(
  { json, data, out }: Flags,
  heldOut: string,
  points: readonly FrontPoint[],
  chosen: { readonly weight: number; readonly kept: number } | undefined,
): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ points, ...(chosen && { chosen }) }, undefined, 2)}\n`);
    return;
  }
  const attacks = points[0]?.evaluation?.attacks ?? [];
  const header = [
    "weight",
    "kept",
    "neighbours",
    ...(data === undefined ? [] : ["clean"]),
    ...attacks.map(attackTitle),
  ];
  const rows = points.map(({ weight, kept, agreement, evaluation }) => [
    String(weight),
    percent(kept),
    percent(agreement.neighbours),
    ...(evaluation ? [percent(evaluation.clean), ...evaluation.attacks.map(({ accuracy }) => percent(accuracy))] : []),
  ]);
  const saved =
    chosen &&
    `Saved ${out}: ${chosen.weight.toFixed(3)} of the way, keeps ${percent(chosen.kept)}. Picture: ${out}/front.svg\n`;
  process.stdout.write(
    `${textTable(header, rows)}\n\nkept: share of the original's behaviour on images of ${heldOut}; 100 % is all but what a shift by a sixteenth of\n` +
      `the width changes. neighbours: of 10 nearest images, those that stay. weight: 0 is the original.\n${saved ?? ""}`,
  );
}
