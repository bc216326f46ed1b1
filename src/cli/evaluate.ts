import { Command, Option } from "commander";
import { pgd } from "../attacks/index.ts";
import { nativeSize, openSource } from "../data/index.ts";
import { formatEpsilon } from "../epsilon.ts";
import { type EvaluateOptions, type Evaluation, evaluate, openTemplates } from "../evaluation/index.ts";
import { resizing } from "../models/architectures/resized.ts";
import { encoderFolder } from "../models/load.ts";
import { recordEvaluation } from "../models/saving/card-file.ts";
import { evaluationTable } from "../report/evaluation.ts";
import { type EncoderFlags, encoderKinds, openEncoder, withEncoderFlags } from "./encoder.ts";
import {
  type ComputeFlags,
  compileFlags,
  type ImageFlags,
  parseCount,
  parseEpsilon,
  parseEpsilons,
  parseNumber,
  withComputeFlags,
  withImageFlags,
} from "./options.ts";
import { ProgressLine } from "./progress.ts";
import { SkipList } from "./skips.ts";

interface Flags extends ComputeFlags, ImageFlags, EncoderFlags {
  readonly encoder: readonly string[];
  readonly data: string;
  readonly templates?: string;
  readonly card?: true;
  readonly attackResolution: "encoder" | "native";
  readonly attack: "none" | "pgd";
  readonly norm: "linf" | "l2";
  readonly epsilon: readonly number[];
  readonly steps: number;
  readonly stepSize?: number;
  readonly restarts: number;
  readonly momentum: number;
}

export function evaluateCommand(): Command {
  const command = new Command("evaluate")
    .description("measure accuracy, clean and under attack, with the encoder's fixed head or zero-shot")
    .requiredOption("--encoder <encoder...>", `one or more encoders: ${encoderKinds}`)
    .requiredOption(
      "--data <data>",
      "labelled images: a folder with one sub-folder a class, WebDataset tars, Parquet files, or synthetic[:COUNT[:SPLIT[:LABEL]]]",
    )
    .option(
      "--templates <prompts>",
      'zero-shot: prompts of the class names: a set (imagenet, cifar10, ...), a file, or one such as "a photo of a {}" (default: the data\'s own)',
    )
    .addOption(
      new Option("--attack-resolution <which>", "perturb the resized image, or the file's own pixels")
        .choices(["encoder", "native"])
        .default("encoder"),
    )
    .addOption(new Option("--attack <name>", "the attack").choices(["none", "pgd"]).default("none"))
    .addOption(new Option("--norm <norm>", "the attack's norm").choices(["linf", "l2"]).default("linf"))
    .option("--epsilon <list>", "sizes of the perturbation, comma-separated", parseEpsilons, [2 / 255])
    .option("--steps <n>", "attack steps", parseCount, 20)
    .option("--step-size <size>", "attack step size (default: epsilon / 4)", parseEpsilon)
    .option("--restarts <n>", "attack runs an image", parseCount, 1)
    .option("--card", "write what was measured into the encoders' model cards (saved encoders and run folders)")
    .option("--momentum <decay>", "decay of the attack's velocity", parseNumber, 0);
  return withComputeFlags(withImageFlags(withEncoderFlags(command))).action(run);
}

async function run(flags: Flags): Promise<void> {
  const { data, classes, seed, encoder: specs, card, attackResolution } = flags;
  const source = await openSource(data, { seed, ...(classes !== undefined && { classesFile: classes }) });
  const options = evaluateOptions(flags);
  const native = attackResolution === "native" ? await nativeSize(source) : undefined;
  // Before hours of measuring, not after.
  if (card) specs.forEach(encoderFolder);

  const progress = new ProgressLine();
  const skips = new SkipList();
  const encoders = [];
  for (const spec of specs) encoders.push(await openEncoder(spec, flags, progress));
  const results: Evaluation[] = [];
  for (const [i, encoder] of encoders.entries()) {
    const spec = specs[i]!;
    const result = await evaluate(native === undefined ? encoder : resizing(encoder, native), source, {
      ...options,
      ...(native !== undefined && { exact: true }),
      onSkip: skips.add,
      onProgress: ({ phase, done, total }) => progress.update(`${spec} ${phase}`, done, total),
    });
    if (card) recordEvaluation(encoder, encoderFolder(spec), result);
    results.push({ ...result, encoder: spec });
  }
  progress.end();
  if (`${skips}`) process.stderr.write(`${skips}\n`);
  print(flags, results);
}

function evaluateOptions(flags: Flags): EvaluateOptions {
  const { attack, epsilon, templates, batch, seed, limit, strict } = flags;
  return {
    ...compileFlags(flags),
    attacks: attack === "none" ? [] : epsilon.map((size) => pgd({ ...pgdFlags(flags), epsilon: size })),
    ...(templates !== undefined && { templates: openTemplates(templates) }),
    batch,
    seed,
    ...(limit !== undefined && { limit }),
    ...(strict && { strict }),
  };
}

function print(flags: Flags, results: readonly Evaluation[]): void {
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(results.length === 1 ? results[0] : results, undefined, 2)}\n`);
    return;
  }
  const { images, classes } = results[0]!;
  process.stdout.write(
    `${evaluationTable(results)}\n\n${images} images of ${flags.data}, ${classes} classes${attackLine(flags)}\n`,
  );
}

function pgdFlags({ norm, steps, stepSize, restarts, momentum }: Flags) {
  return { norm, steps, restarts, momentum, ...(stepSize !== undefined && { stepSize }) };
}

function attackLine({ attack, norm, steps, stepSize, restarts }: Flags): string {
  if (attack === "none") return "";
  const size = stepSize === undefined ? "epsilon / 4" : formatEpsilon(stepSize);
  return `; PGD ${norm}, ${steps} steps of ${size}, ${restarts} random start${restarts > 1 ? "s" : ""}`;
}
