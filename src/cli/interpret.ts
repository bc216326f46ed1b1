import { join } from "node:path";
import { Command } from "commander";
import { UsageError } from "../errors.ts";
import { writeAtomically } from "../files.ts";
import { openTemplates, usualBatch } from "../inference/index.ts";
import { type Interpreted, interpret, KeptInterpretation } from "../measure/interpretability/index.ts";
import { interpretabilityTables, overImages, saliencyPicture, synthesisPicture } from "../report/index.ts";
import { type Interpretability, keepFinding, type Picture } from "../results/index.ts";
import { linesOf, readText } from "../text.ts";
import { openData, Warnings } from "./data.ts";
import { type EncoderFlags, encoderKinds, openEncoder, withEncoderFlags } from "./encoder.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import {
  type ComputeFlags,
  compileFlags,
  type ImageFlags,
  parseCount,
  withComputeFlags,
  withImageFlags,
} from "./options.ts";
import { ProgressLine } from "./progress.ts";
import { dataSettings, folderOf, type NamedEncoder } from "./results.ts";
import { SkipList } from "./skips.ts";

interface Flags extends ComputeFlags, ImageFlags, EncoderFlags {
  readonly encoder: readonly string[];
  readonly data: string;
  readonly templates?: string;
  readonly texts?: string;
  readonly towards?: readonly string[];
  readonly images: number;
  readonly out?: string;
}

export function interpretCommand(): Command {
  const command = new Command("interpret")
    .description("look at what encoders see: alignment with texts, saliency, flips, images made towards a text")
    .requiredOption("--encoder <encoder...>", `one or more encoders: ${encoderKinds}`)
    .requiredOption("--data <data>", "labelled images, as in lore evaluate")
    .option(
      "--templates <prompts>",
      "templates of the alignment: a set (imagenet, cifar10, ...), a file, or one (default: 150 that ship with lore)",
    )
    .option("--texts <file>", "one a line: where an image's nearest texts are looked for (default: the classes)")
    .option(
      "--towards <text...>",
      "make an image towards each of these by gradient ascent; without a text tower, towards the class that it names (default: the first six classes)",
    )
    .option("--images <n>", "images in the picture of saliency and the lists of nearest texts", parseCount, 4)
    .option(
      "--out <folder>",
      "keep the results there for lore report, with saliency.png and synthesis.png; go on where an earlier call stopped",
    );
  return withComputeFlags(withImageFlags(withEncoderFlags(command), usualBatch)).action(run);
}

async function run(flags: Flags): Promise<void> {
  const started = performance.now();
  const { encoder: specs, data, seed, out } = flags;
  const progress = new ProgressLine();
  const warnings = new Warnings(progress);
  const source = await openData(data, flags, warnings);
  const templates = flags.templates === undefined ? undefined : openTemplates(flags.templates);
  const texts = flags.texts === undefined ? undefined : readTexts(flags.texts);
  const encoders: NamedEncoder[] = [];
  for (const spec of specs) encoders.push({ spec, encoder: await openEncoder(spec, flags, progress) });
  const { batch, limit, strict, towards, images: shown } = flags;
  const kept = encoders.map((named) =>
    out === undefined
      ? undefined
      : KeptInterpretation.open(folderOf(out, named.spec, specs), {
          ...dataSettings(flags, { ...named, source, templates }),
          ...{ texts, towards, shown },
        }),
  );
  const skips = new SkipList();
  const stop = stopOnInterrupt(() => progress.note("Stopping; press Ctrl-C again to stop at once."));
  let found: Interpreted | undefined;
  try {
    const opened = encoders.map(({ encoder }) => encoder);
    found = await interpret(opened, source, {
      ...(await compileFlags(flags)),
      ...{ batch, seed, shown, kept, signal: stop.signal, onSkip: skips.add, onWarning: warnings.tell },
      ...(templates && { templates }),
      ...(texts && { texts }),
      ...(towards && { towards }),
      ...(limit !== undefined && { limit }),
      ...(strict && { strict }),
      onProgress: ({ phase, encoder, done, total }) => progress.update(`${phase}, ${encoder}`, done, total),
    });
  } catch (error) {
    if (error !== stop.signal.reason) throw error;
  } finally {
    stop.dispose();
    progress.end();
  }
  if (`${skips}`) process.stderr.write(`${skips}\n`);
  if (!found) {
    process.stderr.write(
      out === undefined
        ? "Stopped. Nothing was kept; with --out FOLDER the same command goes on where it was stopped.\n"
        : `Stopped. ${out} keeps what was found of ${kept.filter((one) => one?.found).length} of ${specs.length} encoders. Go on with the same command.\n`,
    );
    process.exitCode = 130;
    return;
  }
  const { views, towards: _, ...numbers } = found;
  const content: Interpretability = {
    ...numbers,
    encoders: numbers.encoders.map((of, i) => ({ ...of, encoder: specs[i]! })),
    pictures: out === undefined ? [] : await keepPictures(out, found, specs),
  };
  if (out !== undefined) keepFinding(out, "interpretability", content, { command: process.argv.slice(2), started });
  print(flags, content);
}

async function keepPictures(out: string, found: Interpreted, specs: readonly string[]): Promise<readonly Picture[]> {
  const { views, towards } = found;
  const drawn = [await saliencyPicture(views, specs), await synthesisPicture(views, specs, towards)];
  return drawn.map(({ name, png, description }) => {
    const file = `${name}.png`;
    writeAtomically(join(out, file), png);
    return { file, description };
  });
}

/** @throws UsageError when the file is none, or holds no text */
function readTexts(path: string): readonly string[] {
  const lines = linesOf(readText(path)).filter((line) => line.trim() !== "");
  if (lines.length > 0) return lines;
  throw new UsageError(`--texts ${path}: the file holds none; write one a line.`);
}

function print({ json, data, out }: Flags, content: Interpretability): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(content, undefined, 2)}\n`);
    return;
  }
  const { templates, encoders, pictures } = content;
  process.stdout.write(
    `${interpretabilityTables(encoders)}\n\n${overImages({ ...content, dataset: data })}${templates > 0 ? `, ${templates} templates` : ""}\n`,
  );
  for (const { file } of pictures) process.stdout.write(`${join(out!, file)}\n`);
}
