import { existsSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import { blend, HeldOutImages, holdOut, largestBlend } from "../blending/index.ts";
import { balancedSubset, openSource } from "../data/index.ts";
import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import { jsonFile, writeAtomically } from "../files.ts";
import { openTemplates } from "../inference/index.ts";
import { type FrontPoint, front } from "../measure/tradeoff/index.ts";
import { type Encoder, saveEncoder } from "../models/index.ts";
import { attackTitle, chartFile, frontChart, percent, textTable } from "../report/index.ts";
import type { BlendFront } from "../results/index.ts";
import { readRun, trainedEncoder } from "../training/index.ts";
import { attackOptions, attacksOf } from "./attacks.ts";
import { command } from "./command.ts";
import { encoderKinds, openEncoder, openingOptions } from "./encoder.ts";
import { printJson } from "./measuring.ts";
import { type Flags, list, option } from "./option.ts";
import { compileFlags, computeOptions } from "./options.ts";
import { parseCount, parseSeed, parseShare, text } from "./parsers.ts";
import { ProgressLine } from "./progress.ts";

const options = {
  encoder: list("--encoder <original and robust...>", {
    help: `two versions of one encoder, the original first: ${encoderKinds}; a run folder is the weights as training left them`,
    topic: "encoder",
    required: true,
  }),
  ...openingOptions,
  heldOut: option("--held-out <data>", text, {
    help: "images that were not trained on, without labels: they tell what a blend keeps (default: those that a run kept aside)",
    topic: "data",
  }),
  images: option("--images <n>", parseCount, { help: "held-out images to use", topic: "data", default: "256" }),
  data: option("--data <data>", text, {
    help: "labelled images: also measure accuracy, clean and under --attack",
    topic: "data",
  }),
  limit: option("--limit <n>", parseCount, {
    help: "labelled images to use, taken from each class in turn",
    topic: "data",
  }),
  offset: option("--offset <n>", parseSeed, { help: "labelled images to skip first", topic: "data", default: "0" }),
  classes: option("--classes <file>", text, {
    help: "JSON file with class names of the labelled images",
    topic: "data",
  }),
  templates: option("--templates <prompts>", text, {
    help: "zero-shot: prompts of the class names, as in lore evaluate",
    topic: "data",
  }),
  ...attackOptions,
  weights: option("--weights <list>", parseShares, {
    help: "blends to look at, 0 the original, 1 the robust encoder",
    topic: "results",
    default: "0,0.25,0.5,0.75,1",
  }),
  weight: option("--weight <w>", parseShare, { help: "save this blend to --out", topic: "results" }),
  keep: option("--keep <share>", parseShare, {
    help: "save the blend that keeps this share of the original's behaviour",
    topic: "results",
  }),
  out: option("--out <folder>", text, {
    help: "where the blend and the picture of the front go; any command takes it as --encoder",
    topic: "results",
  }),
  ...computeOptions,
};

type BlendFlags = Flags<typeof options>;

export function blendCommand() {
  return command({
    name: "blend",
    description:
      "choose the trade-off after training: measure and save weights between an encoder and its robust version",
    options,
    essentials: ["encoder", "heldOut", "weight", "keep", "out"],
    examples: [
      "blend --encoder openai/clip-vit-base-patch32 runs/lore --data pets --attack pgd",
      "blend --encoder openai/clip-vit-base-patch32 runs/lore --keep 0.95 --out blended",
    ],
    run,
  });
}

function parseShares(written: string): readonly number[] {
  try {
    return written.split(",").map(parseShare);
  } catch {
    throw new InvalidArgumentError("It must be shares from 0 to 1 with commas between them: 0,0.5,1.");
  }
}

async function run(flags: BlendFlags): Promise<void> {
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

async function openRobust(
  original: Encoder,
  spec: string,
  flags: BlendFlags,
  progress: ProgressLine,
): Promise<Encoder> {
  const isRun = existsSync(join(spec, "run.json")) && existsSync(join(spec, "checkpoints"));
  return isRun
    ? trainedEncoder(original, spec)
    : openEncoder(spec, { ...flags, imageSize: original.imageSize }, progress);
}

/** @throws UsageError when none are given, and none can be found from a run */
async function heldOutImages(robust: string, { heldOut, images, seed }: BlendFlags) {
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

/** The data as `run.json` records it. */
interface TrainedRun {
  readonly flags: { readonly data: string; readonly limit?: number; readonly seed: number };
}

async function labelledOptions({ data, classes, templates, limit, offset, seed, ...flags }: BlendFlags) {
  if (data === undefined) return {};
  const labelled = await openSource(data, defined({ seed, classesFile: classes }));
  return {
    labelled,
    evaluation: {
      ...(await compileFlags(flags)),
      ...defined({ seed, offset, limit, templates: templates === undefined ? undefined : openTemplates(templates) }),
    },
  };
}

async function choose({ weight, keep }: BlendFlags, original: Encoder, robust: Encoder, images: HeldOutImages) {
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
  { json, data, out }: BlendFlags,
  heldOut: string,
  points: readonly FrontPoint[],
  chosen: { readonly weight: number; readonly kept: number } | undefined,
): void {
  if (json) {
    printJson(defined({ points, chosen }));
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
