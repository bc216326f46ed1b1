import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import {
  allCorruptions,
  type Corruption,
  commonCorruptions,
  frostFiles,
  isCorruption,
  isSeverity,
  type Severity,
  severities,
} from "../corruptions/index.ts";
import { filesFingerprint } from "../data/index.ts";
import { formatEpsilon } from "../epsilon.ts";
import { openTemplates, usualBatch } from "../inference/index.ts";
import { CorruptionCounts, evaluateCorruptions, usualNoise } from "../measure/corruptions/index.ts";
import { corruptionsTable, overImages } from "../report/index.ts";
import { type Corruptions, keepFinding } from "../results/index.ts";
import { openData, Warnings } from "./data.ts";
import { type EncoderFlags, encoderKinds, openEncoder, withEncoderFlags } from "./encoder.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import {
  type ComputeFlags,
  compileFlags,
  type ImageFlags,
  parseSizes,
  withComputeFlags,
  withImageFlags,
} from "./options.ts";
import { ProgressLine } from "./progress.ts";
import { absolute, dataSettings, folderOf, type NamedEncoder } from "./results.ts";
import { SkipList } from "./skips.ts";

interface Flags extends ComputeFlags, ImageFlags, EncoderFlags {
  readonly encoder: readonly string[];
  readonly data: string;
  readonly templates?: string;
  readonly corruptions: readonly Corruption[];
  readonly severities: readonly Severity[];
  readonly noise: readonly number[];
  readonly frost?: string;
  readonly out?: string;
}

export function corruptionsCommand(): Command {
  const command = new Command("corruptions")
    .description("measure accuracy under the common corruptions of ImageNet-C and under Gaussian noise")
    .requiredOption("--encoder <encoder...>", `one or more encoders, the first to compare with: ${encoderKinds}`)
    .requiredOption("--data <data>", "labelled images, as in lore evaluate")
    .option(
      "--templates <prompts>",
      "zero-shot: prompts of the class names, as in lore evaluate (default: the data's own)",
    )
    .addOption(
      new Option(
        "--corruptions <names>",
        `common (the fifteen of the mean corruption error), all (four more), none, or names with commas between them: ${allCorruptions.join(", ")}`,
      )
        .argParser(parseCorruptions)
        .default(commonCorruptions, "common"),
    )
    .addOption(
      new Option("--severities <list>", "from 1 to 5")
        .argParser(parseSeverities)
        .default(severities, severities.join(",")),
    )
    .addOption(
      new Option("--noise <sizes>", "standard deviations of Gaussian noise in pixel units, such as 8/255,0.1; or none")
        .argParser(parseNoise)
        .default(usualNoise, usualNoise.map(formatEpsilon).join(",")),
    )
    .option(
      "--frost <folder>",
      "the published frost textures (frost1.png ... frost5.jpg); without them frost is drawn, and compares with no published figure",
    )
    .option("--out <folder>", "keep the results there for lore report, and go on where an earlier call stopped");
  return withComputeFlags(withImageFlags(withEncoderFlags(command), usualBatch)).action(run);
}

function parseCorruptions(text: string): readonly Corruption[] {
  if (text === "all") return allCorruptions;
  if (text === "common") return commonCorruptions;
  if (text === "none") return [];
  const names = [...new Set(text.split(",").map((name) => name.trim()))];
  const unknown = names.find((name) => !isCorruption(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(
      `There is no "${unknown}"; there are all, common, none, ${allCorruptions.join(", ")}.`,
    );
  return names.filter(isCorruption);
}

function parseSeverities(text: string): readonly Severity[] {
  const values = [...new Set(text.split(",").map(Number))];
  if (!values.every(isSeverity)) throw new InvalidArgumentError("It must be whole numbers from 1 to 5, such as 1,3,5.");
  return values.filter(isSeverity).sort((a, b) => a - b);
}

function parseNoise(text: string): readonly number[] {
  return text === "none" ? [] : [...new Set(parseSizes(text))];
}

async function run(flags: Flags): Promise<void> {
  const started = performance.now();
  const { encoder: specs, data, seed, batch, limit, strict, corruptions, severities, noise, frost, out } = flags;
  const progress = new ProgressLine();
  const warnings = new Warnings(progress);
  const source = await openData(data, flags, warnings);
  const templates = flags.templates === undefined ? undefined : openTemplates(flags.templates);
  const encoders: NamedEncoder[] = [];
  for (const spec of specs) encoders.push({ spec, encoder: await openEncoder(spec, flags, progress) });
  const counts = encoders.map((named) =>
    out === undefined
      ? undefined
      : CorruptionCounts.open(folderOf(out, named.spec, specs), {
          ...dataSettings(flags, { ...named, source, templates }),
          frost: frost === undefined ? "drawn" : { folder: absolute(frost), files: frostFingerprint(frost) },
        }),
  );
  const skips = new SkipList();
  const stop = stopOnInterrupt(() => progress.note("Stopping; press Ctrl-C again to stop at once."));
  let found: Corruptions | undefined;
  try {
    found = await evaluateCorruptions(
      encoders.map(({ encoder }) => encoder),
      source,
      {
        ...(await compileFlags(flags)),
        ...{ corruptions, severities, noise, counts, batch, seed },
        ...(templates && { templates }),
        ...(frost !== undefined && { frost }),
        ...(limit !== undefined && { limit }),
        ...(strict && { strict }),
        signal: stop.signal,
        onSkip: skips.add,
        onWarning: warnings.tell,
        onProgress: ({ phase, done, total }) =>
          phase === "prompts"
            ? progress.update("prompts", done, total)
            : progress.update("corruptions", done, total, `images  ${phase}`),
      },
    );
  } catch (error) {
    if (error !== stop.signal.reason) throw error;
  } finally {
    stop.dispose();
    progress.end();
  }
  if (`${skips}`) process.stderr.write(`${skips}\n`);
  if (!found) return interrupted(out, counts);
  const content = { ...found, encoders: found.encoders.map((one, i) => ({ ...one, encoder: specs[i]! })) };
  if (out !== undefined) keepFinding(out, "corruptions", content, { command: process.argv.slice(2), started });
  warnings.tellRest(content.warnings);
  print(flags, content);
}

function frostFingerprint(folder: string): string {
  return filesFingerprint(frostFiles.map((file) => join(folder, file)));
}

/** Ctrl-C: what there is, and how to go on. Exits with 130, as shells have it. */
function interrupted(out: string | undefined, counts: readonly (CorruptionCounts | undefined)[]): void {
  const kept = counts.reduce((sum, one) => sum + (one?.size ?? 0), 0);
  process.stderr.write(
    out === undefined
      ? "Stopped. Nothing was kept; with --out FOLDER the same command goes on where it was stopped.\n"
      : `Stopped. ${out} keeps ${kept} accuracies. Go on with the same command.\n`,
  );
  process.exitCode = 130;
}

function print({ json, data }: Flags, content: Corruptions): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(content, undefined, 2)}\n`);
    return;
  }
  process.stdout.write(
    `${corruptionsTable(content)}\n\n${overImages({ ...content, dataset: data })}; corruptions as in ${content.parameters}\n`,
  );
}
