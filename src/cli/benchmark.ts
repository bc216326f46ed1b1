import { join } from "node:path";
import { Command, Option } from "commander";
import { usualBatch } from "../inference/index.ts";
import type { ResultsFolder } from "../measure/accuracy/index.ts";
import {
  type BenchmarkOptions,
  type BenchmarkPart,
  readSuite,
  runBenchmark,
  type Suite,
  suiteNames,
} from "../measure/benchmark/index.ts";
import { benchmarkCsv, benchmarkMarkdown, benchmarkTable, whatIsMissing } from "../report/index.ts";
import { type Benchmark, keepFinding } from "../results/index.ts";
import { Warnings } from "./data.ts";
import { type EncoderFlags, encoderKinds, openEncoder, withEncoderFlags } from "./encoder.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { type ComputeFlags, compileFlags, type ReadFlags, withComputeFlags, withReadFlags } from "./options.ts";
import { ProgressLine } from "./progress.ts";
import { folderNameOf, openResults } from "./results.ts";
import { SkipList } from "./skips.ts";

interface Flags extends ComputeFlags, ReadFlags, EncoderFlags {
  readonly encoder: readonly string[];
  readonly suite: string;
  readonly dataRoot?: string;
  readonly published?: true;
  readonly format: "table" | "markdown" | "csv";
  readonly out?: string;
}

const formats = { table: benchmarkTable, markdown: benchmarkMarkdown, csv: benchmarkCsv } as const;

export function benchmarkCommand(): Command {
  const command = new Command("benchmark")
    .description("measure encoders on the data sets of a suite, clean and under attack: the papers' table")
    .requiredOption("--encoder <encoder...>", `one or more encoders: ${encoderKinds}`)
    .requiredOption("--suite <suite>", `a description of data sets (YAML or JSON), or ${suiteNames.join(", ")}`)
    .option("--data-root <folder>", "look there for data sets with ids (wds/vtab/cifar10) before asking the hub")
    .option("--published", "show published figures of the same data sets, too, marked as such")
    .addOption(new Option("--format <format>", "of the table on stdout").choices(Object.keys(formats)).default("table"))
    .option("--out <folder>", "keep each image's results there, and go on where an earlier call stopped");
  return withComputeFlags(withReadFlags(withEncoderFlags(command), usualBatch)).action(run);
}

async function run(flags: Flags, command: Command): Promise<void> {
  const started = performance.now();
  const { encoder: specs, out } = flags;
  const suite = readSuite(flags.suite);
  const progress = new ProgressLine();
  const told = new Warnings(progress);
  const encoders: { readonly name: string; readonly encoder: BenchmarkPart["encoder"] }[] = [];
  for (const spec of specs) encoders.push({ name: spec, encoder: await openEncoder(spec, flags, progress) });
  const skips = new SkipList();
  const stop = stopOnInterrupt(() => progress.note("Stopping; press Ctrl-C again to stop at once."));
  const kept: ResultsFolder[] = [];
  let benchmark: Benchmark;
  try {
    benchmark = await runBenchmark(encoders, suite, {
      ...(await compileFlags(flags)),
      ...optionsOf(flags, command.getOptionValueSource("seed") === "default"),
      signal: stop.signal,
      onSkip: skips.add,
      onWarning: told.tell,
      ...showing(progress, suite, specs.length > 1),
      ...(out !== undefined && {
        results: (part) => {
          const results = resultsOf(part, flags, out);
          kept.push(results);
          return results;
        },
      }),
    });
  } catch (error) {
    if (error !== stop.signal.reason) throw error;
    progress.end();
    return interrupted(out, kept);
  } finally {
    stop.dispose();
    progress.end();
  }
  if (`${skips}`) process.stderr.write(`${skips}\n`);
  if (out !== undefined) keepFinding(out, "benchmark", benchmark, { command: process.argv.slice(2), started });
  print(flags, benchmark);
}

function optionsOf(flags: Flags, seedIsDefault: boolean): BenchmarkOptions {
  const { batch, limit, strict, dataRoot, published, seed } = flags;
  return {
    batch,
    ...(limit !== undefined && { limit }),
    ...(strict && { strict }),
    ...(published && { published }),
    ...(dataRoot !== undefined && { dataRoot }),
    // What a suite says of its seed holds unless the command line says otherwise.
    ...(!seedIsDefault && { seed }),
  };
}

function showing(
  progress: ProgressLine,
  { sets }: Suite,
  several: boolean,
): Pick<BenchmarkOptions, "onProgress" | "onDownload"> {
  return {
    onProgress: ({ encoder, set, position, phase, done, total, points }) => {
      const where = `${set} (${position} of ${sets.length})${several ? ` ${encoder}` : ""}`;
      progress.update(`${where}: ${phase}`, done, total, points === undefined ? "" : `${points} points`);
    },
    onDownload: (set, { file, bytes, totalBytes }) =>
      progress.update(`downloading ${set}`, Math.round(bytes / 1e6), Math.round(totalBytes / 1e6), `MB  ${file}`),
  };
}

function resultsOf(part: BenchmarkPart, flags: Flags, out: string): ResultsFolder {
  const { name, encoder, set, source, seed, limit, templates } = part;
  const folder = join(out, folderNameOf(name), set.name);
  const settings = {
    ...{ data: set.data, seed, attackResolution: set.resolution },
    ...(limit !== undefined && { limit }),
    ...(flags.activation && { activation: flags.activation }),
  };
  return openResults(folder, settings, { spec: name, encoder, source, templates, attacks: set.attacks });
}

/** Ctrl-C: what there is, and how to go on. Exits with 130, as shells have it. */
function interrupted(out: string | undefined, kept: readonly ResultsFolder[]): void {
  const images = kept.reduce((total, { counts }) => total + counts.images, 0);
  process.stderr.write(
    out === undefined
      ? "Stopped. Nothing was kept; with --out FOLDER the same command goes on where it was stopped.\n"
      : `Stopped. ${out} keeps ${images} clean predictions of ${kept.length} ${kept.length === 1 ? "evaluation" : "evaluations"}. Go on with the same command.\n`,
  );
  process.exitCode = 130;
}

function print({ json, format }: Flags, benchmark: Benchmark): void {
  process.stdout.write(json ? `${JSON.stringify(benchmark, undefined, 2)}\n` : `${formats[format](benchmark)}\n`);
  const warnings = benchmark.rows.flatMap(({ encoder, results }) =>
    results.flatMap(({ set, warnings }) => warnings.map((warning) => `Warning: ${encoder} on ${set}: ${warning}`)),
  );
  // Tables say what is missing themselves.
  const missing = json || format === "csv" ? whatIsMissing(benchmark) : [];
  for (const line of [...warnings, ...missing]) process.stderr.write(`${line}\n`);
}
