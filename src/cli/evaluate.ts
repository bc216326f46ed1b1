import { Command, Option } from "commander";
import type { Attack, AutoAttack } from "../attacks/index.ts";
import { nativeSize } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { openTemplates, usualBatch } from "../inference/index.ts";
import {
  type EvaluateOptions,
  evaluate,
  type Outcomes,
  paired,
  type ResultsFolder,
} from "../measure/accuracy/index.ts";
import { headFor, readHead } from "../measure/probes/index.ts";
import type { Encoder } from "../models/index.ts";
import { atNativeResolution, encoderFolder, recordEvaluation, withHead } from "../models/index.ts";
import { describeAttack, evaluationTable, overImages } from "../report/index.ts";
import { type Evaluation, type Evaluations, keepFinding, type PicturedExample } from "../results/index.ts";
import { type AttackFlags, attacksOf, withAttackFlags } from "./attacks.ts";
import { openData, Warnings } from "./data.ts";
import { type EncoderFlags, encoderKinds, openEncoder, withEncoderFlags } from "./encoder.ts";
import { keepExamples } from "./examples.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import {
  type ComputeFlags,
  compileFlags,
  type ImageFlags,
  parseCount,
  parseSeed,
  withComputeFlags,
  withImageFlags,
} from "./options.ts";
import { ProgressLine } from "./progress.ts";
import { folderOf, type NamedEncoder, openResults } from "./results.ts";
import { SkipList } from "./skips.ts";

interface Flags extends ComputeFlags, ImageFlags, EncoderFlags, AttackFlags {
  readonly encoder: readonly string[];
  readonly data: string;
  readonly templates?: string;
  readonly head?: string;
  readonly offset: number;
  readonly attackResolution: "encoder" | "native";
  readonly surrogate?: string;
  readonly quantize?: true;
  readonly card?: true;
  readonly out?: string;
  readonly saveAdversarial?: true;
  readonly examples?: number;
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
    .option(
      "--offset <n>",
      "leave out this many images first, so that what was chosen on them is reported on others",
      parseSeed,
      0,
    )
    .option("--head <file>", "a linear head that lore probe --save-head wrote, for all of the encoders")
    .addOption(
      new Option("--attack-resolution <which>", "perturb the resized image, or the file's own pixels")
        .choices(["encoder", "native"])
        .default("encoder"),
    );
  withAttackFlags(command)
    .option("--surrogate <encoder>", "make the attacks on this encoder instead (transfer)")
    .option("--quantize", "round adversarial images to 8 bits, as an image file does, while they are searched for")
    .option("--card", "write what was measured into the encoders' model cards (saved encoders and run folders)")
    .option(
      "--out <folder>",
      "keep each image's results there, and go on where an earlier call stopped; lore report shows the folder",
    )
    .option("--examples <n>", "picture this many images under the last attack in --out, for lore report", parseCount)
    .option("--save-adversarial", "keep the adversarial images in --out too, as float arrays (safetensors)");
  return withComputeFlags(withImageFlags(withEncoderFlags(command), usualBatch)).action(run);
}

async function run(flags: Flags): Promise<void> {
  const started = performance.now();
  const { data, seed, card, encoder: specs, out } = flags;
  const attacks = attacksOf(flags);
  checkTogether(flags, attacks);
  // Before hours of measuring, not after.
  if (card) specs.forEach(encoderFolder);
  const progress = new ProgressLine();
  const warnings = new Warnings(progress);
  const opened = await openData(data, flags, warnings);
  const { head, source } = flags.head === undefined ? { source: opened } : headFor(readHead(flags.head), opened);
  const templates = flags.templates === undefined ? undefined : openTemplates(flags.templates);
  const native = flags.attackResolution === "native" ? await nativeSize(source) : undefined;
  const open = async (spec: string): Promise<NamedEncoder> => {
    const encoder = await openEncoder(spec, flags, progress);
    return { spec, encoder: head ? withHead(encoder, head) : encoder };
  };
  const sized = (encoder: Encoder): Encoder => (native === undefined ? encoder : atNativeResolution(encoder, native));
  const surrogate = flags.surrogate === undefined ? undefined : await open(flags.surrogate);
  const encoders: NamedEncoder[] = [];
  for (const spec of specs) encoders.push(await open(spec));
  const kept = encoders.map((named) =>
    out === undefined
      ? undefined
      : openResults(folderOf(out, named.spec, specs), flags, { ...named, surrogate, source, templates, attacks }),
  );

  const skips = new SkipList();
  const stop = stopOnInterrupt(() => progress.note("Stopping; press Ctrl-C again to stop at once."));
  const evaluations: Evaluation[] = [];
  let first: Outcomes | undefined;
  const examples: PicturedExample[] = [];
  try {
    for (const [i, { spec, encoder }] of encoders.entries()) {
      const results = kept[i];
      let outcomes: Outcomes | undefined;
      const result = await evaluate(sized(encoder), source, {
        ...(await evaluateOptions(flags)),
        attacks,
        ...(templates && { templates }),
        ...(surrogate && { surrogate: sized(surrogate.encoder) }),
        ...(native !== undefined && { exact: true }),
        ...(results && { results }),
        signal: stop.signal,
        onOutcomes: (found) => {
          outcomes = found;
        },
        onSkip: skips.add,
        onWarning: warnings.tell,
        onProgress: ({ phase, done, total, points }) =>
          progress.update(`${spec} ${phase}`, done, total, points === undefined ? "" : `${points} points`),
      });
      if (card) recordEvaluation(encoder, encoderFolder(spec), result);
      // As TypeScript sees it, nothing was assigned: callbacks are not followed.
      const found = outcomes as Outcomes | undefined;
      const beside = first && found && paired(evaluations[0]!.encoder, first, found, result.images);
      first ??= found;
      evaluations.push({ ...result, encoder: spec, ...(beside && { paired: beside }) });
      if (out === undefined || flags.examples === undefined) continue;
      progress.update(`${spec} examples`, 0, flags.examples);
      const pictured = await keepExamples(out, { spec, encoder }, source, attacks.at(-1)!, {
        ...(await compileFlags(flags)),
        ...(templates && { templates }),
        ...{ count: flags.examples, seed, specs },
      });
      examples.push(...pictured);
    }
  } catch (error) {
    if (error !== stop.signal.reason) throw error;
  } finally {
    stop.dispose();
    progress.end();
  }
  if (`${skips}`) process.stderr.write(`${skips}\n`);
  if (stop.signal.aborted && evaluations.length < encoders.length) return interrupted(flags, kept);
  const content: Evaluations = { evaluations, settings: settingsOf(flags, attacks, source.classes?.length), examples };
  if (out !== undefined) keepFinding(out, "evaluation", content, { command: process.argv.slice(2), started });
  print(flags, content, warnings);
}

/** @throws UsageError when flags contradict each other */
function checkTogether(flags: Flags, attacks: readonly unknown[]): void {
  const { quantize, surrogate, saveAdversarial, examples, out, card, head, templates } = flags;
  if (head !== undefined && templates !== undefined)
    throw new UsageError("--head and --templates each say how classes are told apart: give one of them.");
  if (attacks.length === 0) {
    const idle = [
      quantize && "--quantize",
      surrogate && "--surrogate",
      saveAdversarial && "--save-adversarial",
      examples !== undefined && "--examples",
    ];
    const [flag] = idle.filter(Boolean);
    if (flag) throw new UsageError(`${flag} needs an attack: give one with --attack.`);
  }
  if (saveAdversarial && out === undefined)
    throw new UsageError("--save-adversarial needs --out FOLDER, where the images go.");
  if (examples !== undefined) checkExamples(flags);
  if (card && (surrogate !== undefined || quantize))
    throw new UsageError(
      `--card does not go with ${quantize ? "--quantize" : "--surrogate"}: a card tells of attacks on the encoder itself, on any pixels.`,
    );
}

/** @throws UsageError when no pictures can be made, or they would show another attack than the one measured */
function checkExamples({ out, surrogate, quantize, attackResolution }: Flags): void {
  if (out === undefined) throw new UsageError("--examples needs --out FOLDER, where the pictures go.");
  const other = [
    surrogate !== undefined && "--surrogate",
    quantize && "--quantize",
    attackResolution === "native" && "--attack-resolution native",
  ].find(Boolean);
  if (other)
    throw new UsageError(`--examples does not go with ${other}: pictures are of attacks on the encoder itself.`);
}

async function evaluateOptions(flags: Flags): Promise<EvaluateOptions> {
  const { batch, seed, limit, offset, strict, quantize } = flags;
  return {
    offset,
    ...(await compileFlags(flags)),
    batch,
    seed,
    ...(limit !== undefined && { limit }),
    ...(strict && { strict }),
    ...(quantize && { quantize }),
  };
}

/** Ctrl-C: what there is, and how to go on. Exits with 130, as shells have it. */
function interrupted({ out }: Flags, kept: readonly (ResultsFolder | undefined)[]): void {
  const counts = kept.flatMap((results) => (results ? [results.counts] : []));
  const sum = (name: "images" | "attacked"): number => counts.reduce((total, count) => total + count[name], 0);
  process.stderr.write(
    out === undefined
      ? "Stopped. Nothing was kept; with --out FOLDER the same command goes on where it was stopped.\n"
      : `Stopped. ${out} keeps ${sum("images")} clean predictions and ${sum("attacked")} results of attacks. Go on with the same command.\n`,
  );
  process.exitCode = 130;
}

/** How attacks were made, in words. */
function settingsOf(
  { surrogate, quantize, attackResolution }: Flags,
  attacks: readonly (Attack | AutoAttack)[],
  classes: number | undefined,
): readonly string[] {
  return [
    ...new Set(attacks.map((attack) => describeAttack(attack, classes))),
    ...(surrogate === undefined ? [] : [`made on ${surrogate}`]),
    ...(attackResolution === "native" ? ["on the files' own pixels"] : []),
    ...(quantize ? ["rounded to 8 bits"] : []),
  ];
}

function print({ json, data }: Flags, { evaluations, settings }: Evaluations, told: Warnings): void {
  for (const { encoder, warnings } of evaluations)
    told.tellRest(warnings, evaluations.length > 1 ? `${encoder}: ` : "");
  if (json) {
    const all = evaluations.length === 1 ? evaluations[0] : evaluations;
    process.stdout.write(`${JSON.stringify(all, undefined, 2)}\n`);
    return;
  }
  const facts = [overImages({ ...evaluations[0]!, dataset: data }), ...settings];
  process.stdout.write(`${evaluationTable(evaluations)}\n\n${facts.join("; ")}\nIn brackets: 95 % intervals.\n`);
}
