import { Command, InvalidArgumentError } from "commander";
import { UsageError } from "../errors.ts";
import { usualBatch } from "../inference/index.ts";
import { type Probed, probe, writeHead } from "../measure/probes/index.ts";
import { overImages, probesTable } from "../report/index.ts";
import { keepFinding, type Probes } from "../results/index.ts";
import { counted } from "../words.ts";
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
import { SkipList } from "./skips.ts";

interface Flags extends ComputeFlags, ImageFlags, EncoderFlags {
  readonly encoder: readonly string[];
  readonly train: string;
  readonly data: string;
  readonly neighbours: readonly number[];
  readonly limitTrain?: number;
  readonly out?: string;
  readonly saveHead?: string;
}

export function probeCommand(): Command {
  const command = new Command("probe")
    .description("fit a linear probe and nearest neighbours on frozen embeddings, and measure both on other images")
    .requiredOption("--encoder <encoder...>", `one or more encoders: ${encoderKinds}`)
    .requiredOption("--train <data>", "labelled images to fit on, as in lore evaluate")
    .requiredOption("--data <data>", "labelled images to measure with, of the same classes by folder")
    .option("--neighbours <k,...>", "numbers of neighbours", parseCounts, [1, 5, 20])
    .option("--limit-train <n>", "fit on this many images, taken class by class in turn", parseCount)
    .option("--out <folder>", "keep the results there for lore report")
    .option(
      "--save-head <file>",
      "write the linear probe as safetensors, for lore evaluate --head: weight [classes, D] and bias [classes]",
    );
  return withComputeFlags(withImageFlags(withEncoderFlags(command), usualBatch)).action(run);
}

function parseCounts(text: string): readonly number[] {
  const counts = text.split(",").map(Number);
  if (counts.every((k) => Number.isInteger(k) && k >= 1)) return [...new Set(counts)];
  throw new InvalidArgumentError("It must be positive integers, such as 1,5,20.");
}

async function run(flags: Flags): Promise<void> {
  const started = performance.now();
  const { encoder: specs, train, data, seed, batch, limit, limitTrain, strict, out, saveHead } = flags;
  if (saveHead !== undefined && specs.length > 1)
    throw new UsageError("--save-head takes the head of one encoder: give one --encoder.");
  const progress = new ProgressLine();
  const warnings = new Warnings(progress);
  const [known, source] = [await openData(train, flags, warnings), await openData(data, flags, warnings)];
  const skips = new SkipList();
  const stop = stopOnInterrupt(() => progress.note("Stopping; press Ctrl-C again to stop at once."));
  const probed: Probed[] = [];
  try {
    for (const spec of specs) {
      const found = await probe(await openEncoder(spec, flags, progress), known, source, {
        ...(await compileFlags(flags)),
        ...{ batch, seed, neighbours: flags.neighbours, signal: stop.signal },
        ...{ onSkip: skips.add, onWarning: warnings.tell },
        ...(limit !== undefined && { limit }),
        ...(limitTrain !== undefined && { limitTrain }),
        ...(strict && { strict }),
        onProgress: ({ phase, done, total }) => progress.update(`${spec} ${phase}`, done, total),
      });
      probed.push(found);
    }
  } catch (error) {
    if (error !== stop.signal.reason) throw error;
  } finally {
    stop.dispose();
    progress.end();
  }
  if (`${skips}`) process.stderr.write(`${skips}\n`);
  if (probed.length < specs.length) {
    process.stderr.write("Stopped. Embeddings made so far are kept; the same command goes on with them.\n");
    process.exitCode = 130;
    return;
  }
  const { head, trainImages, testImages, skipped, classes } = probed[0]!;
  const content: Probes = {
    ...{ train, test: data, trainImages, testImages, skipped, classes },
    encoders: probed.map(({ linear, neighbours }, i) => ({ encoder: specs[i]!, linear, neighbours })),
    warnings: [...new Set(probed.flatMap((found) => found.warnings))],
  };
  if (saveHead !== undefined) writeHead(saveHead, { head, folders: known.classes!.map(({ folder }) => folder) });
  if (out !== undefined) keepFinding(out, "probes", content, { command: process.argv.slice(2), started });
  print(flags, content);
}

function print({ json }: Flags, content: Probes): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(content, undefined, 2)}\n`);
    return;
  }
  const { train, test, trainImages, testImages, skipped = 0, classes, encoders } = content;
  process.stdout.write(
    `${probesTable(content)}\n\n${overImages({ images: testImages, dataset: test, classes })}; ` +
      `fitted on ${overImages({ images: trainImages, dataset: train })}${skipped > 0 ? `; ${counted(skipped, "image")} more could not be read` : ""}\n`,
  );
  for (const { encoder } of encoders.filter(({ linear }) => !linear.converged))
    process.stderr.write(
      `Warning: ${encoder}: the linear probe did not reach its minimum; its accuracy may be too low.\n`,
    );
}
