import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { type EmbeddingAttack, embeddingAttackNamed, embeddingAttackNames } from "../attacks/index.ts";
import { tellFault } from "../data/index.ts";
import { formatEpsilon } from "../epsilon.ts";
import { UsageError } from "../errors.ts";
import { usualBatch } from "../inference/index.ts";
import { type MeasuredFidelity, measureFidelity, readCaptions } from "../measure/fidelity/index.ts";
import type { Margin } from "../objectives/index.ts";
import { fidelityTable, overImages } from "../report/index.ts";
import { type Fidelity, keepFinding } from "../results/index.ts";
import { readRun } from "../training/index.ts";
import { counted } from "../words.ts";
import { openData, Warnings } from "./data.ts";
import { type EncoderFlags, encoderFlags, encoderKinds, openEncoder, withEncoderFlags } from "./encoder.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import {
  type ComputeFlags,
  compileFlags,
  type ImageFlags,
  parseCount,
  parseNumber,
  parseSize,
  withComputeFlags,
  withImageFlags,
} from "./options.ts";
import { ProgressLine } from "./progress.ts";
import { SkipList } from "./skips.ts";

interface Flags extends ComputeFlags, ImageFlags, EncoderFlags {
  readonly original?: string;
  readonly encoder: readonly string[];
  readonly data: string;
  readonly rho?: number;
  readonly marginExponent?: number;
  readonly captions?: string;
  readonly attack: string;
  readonly epsilon: number;
  readonly steps?: number;
  readonly out?: string;
}

export function fidelityCommand(): Command {
  const command = new Command("fidelity")
    .description("measure how far embeddings are from the original encoder's, clean and under attack")
    .option(
      "--original <encoder>",
      `the encoder before fine-tuning (default: what the run began with): ${encoderKinds}`,
    )
    .requiredOption("--encoder <encoder...>", "one or more encoders that came of it")
    .requiredOption("--data <data>", "images, as in lore evaluate; labels are not needed")
    .option(
      "--rho <x>",
      "allowed is a squared distance of rho |original embedding|^p (default: the run's, else 0.1)",
      parseNumber,
    )
    .option("--margin-exponent <p>", "p (default: the run's, else 2)", parseNumber)
    .option(
      "--captions <file>",
      "captions of the images, for text-to-image recall: COCO's annotations, JSON by file name, or two columns (.tsv, .csv)",
    )
    .addOption(
      new Option("--attack <name>", "moves embeddings away from the original's")
        .choices(["none", ...embeddingAttackNames])
        .default("none"),
    )
    .addOption(
      new Option("--epsilon <size>", "size of the perturbation").argParser(parseSize).default(2 / 255, "2/255"),
    )
    .option("--steps <n>", "steps of the attack (default: pgd 20, apgd 100)", parseCount)
    .option("--out <folder>", "keep the results there for lore report");
  return withComputeFlags(withImageFlags(withEncoderFlags(command), usualBatch)).action(run);
}

async function run(flags: Flags): Promise<void> {
  const started = performance.now();
  const { data, seed, batch, limit, strict, out } = flags;
  const stated = statedByRun(flags.encoder);
  const { original: originalSpec, rho, marginExponent } = { ...stated, ...given(flags) };
  if (originalSpec === undefined)
    throw new UsageError("--original is missing: none of the encoders is a run folder that names what it began with.");
  if (!(rho > 0)) throw new UsageError(`--rho ${rho} must be greater than 0.`);
  const attack = attackOf(flags);
  const progress = new ProgressLine();
  const warnings = new Warnings(progress);
  const source = await openData(data, flags, warnings);
  const captions = flags.captions === undefined ? undefined : readCaptions(flags.captions, source);
  for (const message of captions?.faults ?? [])
    tellFault(message, { ...(strict && { strict }), onWarning: warnings.tell });
  if (captions) warnings.remark(`${counted(captions.byImage.size, "image")} of ${source.items.length} have captions.`);
  const asTrained = originalSpec === stated.original ? stated.openedWith : {};
  const original = await openEncoder(originalSpec, { ...asTrained, ...flags }, progress);
  const skips = new SkipList();
  const stop = stopOnInterrupt(() => progress.note("Stopping; press Ctrl-C again to stop at once."));
  // Under attack the original is what the others are compared with.
  const specs = attack ? [originalSpec, ...flags.encoder] : flags.encoder;
  const measured: MeasuredFidelity[] = [];
  try {
    for (const spec of specs) {
      const encoder = spec === originalSpec ? original : await openEncoder(spec, flags, progress);
      const found = await measureFidelity(original, encoder, source, {
        ...(await compileFlags(flags)),
        ...{ rho, marginExponent, batch, seed, signal: stop.signal, onSkip: skips.add, onWarning: warnings.tell },
        ...(attack && { attack }),
        ...(captions && { captions: captions.byImage }),
        ...(limit !== undefined && { limit }),
        ...(strict && { strict }),
        onProgress: ({ phase, done, total }) => progress.update(`${spec} ${phase}`, done, total),
      });
      measured.push(found);
    }
  } catch (error) {
    if (error !== stop.signal.reason) throw error;
  } finally {
    stop.dispose();
    progress.end();
  }
  if (`${skips}`) process.stderr.write(`${skips}\n`);
  if (measured.length < specs.length) {
    process.stderr.write("Stopped. Embeddings made so far are kept; the same command goes on with them.\n");
    process.exitCode = 130;
    return;
  }
  const content: Fidelity = {
    ...{ dataset: data, images: measured[0]!.images, skipped: measured[0]!.skipped },
    ...{ original: originalSpec, rho, marginExponent },
    ...(attack && { attack: `${flags.attack} ${formatEpsilon(flags.epsilon)}, ${attack.steps} steps` }),
    encoders: measured.map(({ images: _, skipped: __, warnings: ___, ...found }, i) => ({
      encoder: specs[i]!,
      ...found,
    })),
    warnings: [...(captions?.faults ?? []), ...new Set(measured.flatMap((found) => found.warnings))],
  };
  if (out !== undefined) keepFinding(out, "fidelity", content, { command: process.argv.slice(2), started });
  print(flags, content);
}

interface Stated {
  readonly original?: string;
  /** What had to be said of it. */
  readonly openedWith?: EncoderFlags;
  readonly rho: number;
  readonly marginExponent: number;
}

/** What the first run folder among the encoders began with and allowed; the paper's constraint where it says nothing. */
function statedByRun(specs: readonly string[]): Stated {
  const run = specs.find((spec) => existsSync(join(spec, "run.json")));
  const usual = { rho: 0.1, marginExponent: 2 };
  if (run === undefined) return usual;
  const { flags, objective } = readRun(run) as RunFile;
  const margin = objective?.constraint?.margin;
  return {
    ...usual,
    ...(flags?.encoder !== undefined && { original: flags.encoder, openedWith: encoderFlags(flags) }),
    ...(margin?.kind === "relative" && { rho: margin.rho, marginExponent: margin.exponent }),
  };
}

interface RunFile {
  readonly flags?: EncoderFlags & { readonly encoder?: string };
  readonly objective?: { readonly constraint?: { readonly margin?: Margin } };
}

function given({ original, rho, marginExponent }: Flags): Partial<Stated> {
  return {
    ...(original !== undefined && { original }),
    ...(rho !== undefined && { rho }),
    ...(marginExponent !== undefined && { marginExponent }),
  };
}

function attackOf({ attack, epsilon, steps }: Flags): EmbeddingAttack | undefined {
  return attack === "none" ? undefined : embeddingAttackNamed(attack, { epsilon, loss: "embedding-l2", steps });
}

function print({ json }: Flags, content: Fidelity): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(content, undefined, 2)}\n`);
    return;
  }
  const { images, skipped, dataset, original, attack, rho, marginExponent } = content;
  process.stdout.write(
    `${fidelityTable(content)}\n\n${overImages({ images, skipped, dataset })}; embeddings beside those of ${original}, squared l2, medians\n` +
      `violated: clean distance above ${rho} |phi0(x)|^${marginExponent}${attack === undefined ? "" : `; attacked by ${attack}`}\n`,
  );
}
