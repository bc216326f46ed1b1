import { join } from "node:path";
import { defined } from "../defined.ts";
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
import type { Benchmark } from "../results/index.ts";
import { counted } from "../words.ts";
import { command } from "./command.ts";
import { keptIn, type Measurement, measuring, measuringOptions, outOption, type Session } from "./measuring.ts";
import { type Flags, flag, option } from "./option.ts";
import { oneOf, parseSeed, text } from "./parsers.ts";
import type { ProgressLine } from "./progress.ts";
import { folderNameOf, openResults } from "./results.ts";

const formats = { table: benchmarkTable, markdown: benchmarkMarkdown, csv: benchmarkCsv } as const;

const options = {
  ...measuringOptions,
  suite: option("--suite <suite>", text, {
    help: `a description of data sets (YAML or JSON), or ${suiteNames.join(", ")}`,
    topic: "data",
    required: true,
  }),
  dataRoot: option("--data-root <folder>", text, {
    help: "look there for data sets with ids (wds/vtab/cifar10) before asking the hub",
    topic: "data",
  }),
  seed: option("--seed <n>", parseSeed, { help: "seed of everything random (default: the suite's)", topic: "compute" }),
  published: flag("--published", {
    help: "also show published figures of the same data sets, marked as such",
    topic: "results",
  }),
  format: option("--format <format>", oneOf(["table", "markdown", "csv"]), {
    help: "format of the table on stdout",
    topic: "results",
    default: "table",
  }),
  out: outOption("keep each image's results there, and go on where an earlier call stopped"),
};

type BenchmarkFlags = Flags<typeof options>;

export function benchmarkCommand() {
  return command({
    name: "benchmark",
    description: "measure encoders on the data sets of a suite, clean and under attack: the papers' table",
    options,
    essentials: ["encoder", "suite", "limit", "format", "out"],
    examples: [
      "benchmark --encoder openai/clip-vit-base-patch32 runs/lore --suite suite.yaml --out results/table",
      "benchmark --encoder runs/lore --suite suite.yaml --limit 200 --format markdown",
    ],
    run: measuring("benchmark", prepare),
  });
}

async function prepare(flags: BenchmarkFlags, { progress, warnings, open }: Session): Promise<Measurement<Benchmark>> {
  const { encoder: specs, out, json, format, seed, dataRoot, published } = flags;
  const suite = readSuite(flags.suite);
  const encoders: { readonly name: string; readonly encoder: BenchmarkPart["encoder"] }[] = [];
  for (const spec of specs) encoders.push({ name: spec, encoder: (await open(spec)).encoder });
  const kept: ResultsFolder[] = [];
  const keeping = (folder: string) => (part: BenchmarkPart) => {
    const results = resultsOf(part, flags, folder);
    kept.push(results);
    return results;
  };
  return {
    measure: (options) =>
      runBenchmark(encoders, suite, {
        ...options,
        ...defined({ seed, dataRoot, published, results: out === undefined ? undefined : keeping(out) }),
        ...showing(progress, suite, specs.length > 1),
      }),
    stopped: () => {
      const images = kept.reduce((total, { counts }) => total + counts.images, 0);
      return keptIn(out, `${images} clean predictions of ${counted(kept.length, "evaluation")}`);
    },
    text: (benchmark) => formats[format](benchmark),
    warnings: (benchmark) =>
      benchmark.rows.flatMap(({ encoder, results }) =>
        results.flatMap(({ set, warnings: found }) => warnings.rest(found, `${encoder} on ${set}: `)),
      ),
    // Tables list missing results themselves.
    notes: (benchmark) => (json || format === "csv" ? whatIsMissing(benchmark) : []),
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

function resultsOf(part: BenchmarkPart, { activation }: BenchmarkFlags, out: string): ResultsFolder {
  const { name, encoder, set, source, seed, limit, templates } = part;
  const folder = join(out, folderNameOf(name), set.name);
  const settings = defined({ data: set.data, seed, attackResolution: set.resolution, limit, activation });
  return openResults(folder, settings, { spec: name, encoder, source, templates, attacks: set.attacks });
}
