import { formatEpsilon } from "../epsilon.ts";
import { missingLines } from "../measure/benchmark/index.ts";
import type { Benchmark, BenchmarkRow, PublishedRow, SuiteSet } from "../results/index.ts";
import { textTable } from "./table.ts";

/** The table at one epsilon. */
export interface BenchmarkBlock {
  /** Pixel units of [0, 1]; 0 for clean. */
  readonly epsilon: number;
  /** Sets that were measured, in the suite's order. */
  readonly sets: readonly SuiteSet[];
  /** Sets of the suite that the average is meant to be over. */
  readonly averaged: number;
  /** The measured ones first, in the order of the encoders. */
  readonly rows: readonly BenchmarkLine[];
}

export interface BenchmarkLine {
  readonly encoder: string;
  /** Source of published figures. */
  readonly source?: string;
  /** One a set, from 0 to 1. */
  readonly accuracies: readonly (number | undefined)[];
  /** Mean over the averaged sets that there are figures for; undefined where there is none. */
  readonly average: number | undefined;
  /** How many sets the average is over. */
  readonly count: number;
}

/** The paper's table: a block clean and one an epsilon; rows are encoders, columns the sets that could be measured. */
export function benchmarkBlocks(benchmark: Benchmark): readonly BenchmarkBlock[] {
  const { rows, published, epsilons } = benchmark;
  const measured = new Set(rows.flatMap(({ results }) => results.map(({ set }) => set)));
  const sets = benchmark.sets.filter(({ name }) => measured.has(name));
  const averaged = benchmark.sets.filter((set) => set.averaged).length;
  return [0, ...epsilons].map((epsilon) => ({
    epsilon,
    sets,
    averaged,
    rows: [
      ...rows.map((row) => measuredLine(row, sets, epsilon)),
      ...published.flatMap((row) => publishedLine(row, sets, averaged, epsilon) ?? []),
    ],
  }));
}

function measuredLine({ encoder, results }: BenchmarkRow, sets: readonly SuiteSet[], epsilon: number): BenchmarkLine {
  const accuracies = sets.map(({ name }) => {
    const result = results.find(({ set }) => set === name);
    return epsilon === 0 ? result?.clean : result?.attacks.find((attack) => attack.epsilon === epsilon)?.accuracy;
  });
  return { encoder, accuracies, ...mean(accuracies, sets) };
}

function publishedLine(
  { encoder, source, accuracies }: PublishedRow,
  sets: readonly SuiteSet[],
  averaged: number,
  epsilon: number,
): BenchmarkLine | undefined {
  const found = accuracies.find((at) => Math.abs(at.epsilon - 255 * epsilon) < 1e-6);
  if (!found) return undefined;
  const figures = sets.map(({ name }) => found.bySet[name]);
  const columns = sets.filter((set) => set.averaged).length;
  const own = mean(figures, sets);
  // An average stands only beside averages of the same sets: over all columns, or the printed one where none is missing.
  const printed = columns === averaged ? found.average : undefined;
  const average = own.count === columns ? own.average : own.count === 0 ? printed : undefined;
  if (average === undefined && figures.every((figure) => figure === undefined)) return undefined;
  return { encoder, source, accuracies: figures, average, count: average === undefined ? 0 : columns };
}

function mean(accuracies: readonly (number | undefined)[], sets: readonly SuiteSet[]) {
  const counted = accuracies.filter((accuracy, i) => accuracy !== undefined && sets[i]!.averaged) as readonly number[];
  const sum = counted.reduce((total, accuracy) => total + accuracy, 0);
  return { average: counted.length === 0 ? undefined : sum / counted.length, count: counted.length };
}

/** The table as plain text, with what it is over and what is missing. */
export function benchmarkTable(benchmark: Benchmark): string {
  const { blocks, sources, notes } = benchmarkView(benchmark);
  const tables = blocks.map(({ title, header, rows }) =>
    textTable(
      [title, ...header],
      rows.map(({ cells }) => cells),
    ),
  );
  return [tables.join("\n\n"), [...sources, ...notes].join("\n")].join("\n\n");
}

/** The same as GitHub's Markdown. */
export function benchmarkMarkdown(benchmark: Benchmark): string {
  const { blocks, sources, notes } = benchmarkView(benchmark);
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const tables = blocks.map(({ title, header, rows }) =>
    [
      line([title, ...header]),
      line(["---", ...header.map(() => "---:")]),
      ...rows.map(({ cells }) => line(cells)),
    ].join("\n"),
  );
  return [...tables, [...sources, ...notes].map((note) => `- ${note.trim()}`).join("\n")].join("\n\n");
}

/** One line an encoder and epsilon; accuracies from 0 to 1, empty where there is none; sets go by their names. */
export function benchmarkCsv(benchmark: Benchmark): string {
  const blocks = benchmarkBlocks(benchmark);
  const header = [
    "epsilon",
    "encoder",
    "source",
    ...blocks[0]!.sets.map(({ name }) => name),
    "average",
    "averaged sets",
  ];
  const lines = blocks.flatMap(({ epsilon, rows }) =>
    rows.map(({ encoder, source, accuracies, average, count }) => [
      formatEpsilon(epsilon),
      encoder,
      source ?? "measured",
      ...[...accuracies, average].map((figure) => (figure === undefined ? "" : String(Number(figure.toFixed(6))))),
      String(count),
    ]),
  );
  return [header, ...lines].map((cells) => cells.map(quoted).join(",")).join("\n");
}

function quoted(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** Content that all readable forms share. */
export function benchmarkView(benchmark: Benchmark) {
  const blocks = benchmarkBlocks(benchmark);
  const sources = [...new Set(blocks.flatMap(({ rows }) => rows.flatMap(({ source }) => source ?? [])))];
  const label = ({ encoder, source }: BenchmarkLine): string =>
    source === undefined ? encoder : `${encoder} (published [${sources.indexOf(source) + 1}])`;
  return {
    blocks: blocks.map(({ epsilon, sets, averaged, rows }) => ({
      title: epsilon === 0 ? "clean" : `epsilon ${formatEpsilon(epsilon)}`,
      header: [...sets.map(({ title }) => title), "Avg"],
      rows: rows.map((row) => ({
        published: row.source !== undefined,
        cells: [
          label(row),
          ...row.accuracies.map(inPercent),
          inPercent(row.average) + (row.count === averaged || row.count === 0 ? "" : ` (${row.count} of ${averaged})`),
        ],
      })),
    })),
    sources: sources.map((source, i) => `[${i + 1}] published, not measured here: ${source}`),
    notes: [whatIsAveraged(benchmark), ...whatWasMeasured(benchmark), ...whatIsMissing(benchmark)],
  };
}

function inPercent(figure: number | undefined): string {
  return figure === undefined ? "-" : (100 * figure).toFixed(1);
}

function whatIsAveraged({ sets }: Benchmark): string {
  const others = sets.filter(({ averaged }) => !averaged).map(({ title }) => title);
  const without = others.length > 0 ? ` without ${others.join(", ")}` : "";
  return `Accuracy in %. Avg: mean over the sets${without}.`;
}

/** Sets that were measured alike, on one line. */
function whatWasMeasured({ sets, rows }: Benchmark): readonly string[] {
  const alike = new Map<string, string[]>();
  for (const { name, title } of sets) {
    const result = rows.flatMap(({ results }) => results).find(({ set }) => set === name);
    if (!result) continue;
    const attacks = [...new Set(result.attacks.map(({ attack, norm }) => `${attack} ${norm}`))];
    const what = [`${result.images} images a set`, ...attacks].join(", ");
    alike.set(what, [...(alike.get(what) ?? []), title]);
  }
  return [...alike].map(([what, titles]) => `${what}: ${titles.join(", ")}`);
}

/** The count of sets, then a line a reason; nothing where all were measured. */
export function whatIsMissing({ sets, rows, missing }: Benchmark): readonly string[] {
  if (missing.length === 0) return [];
  const isMeasured = (name: string): boolean => rows.some(({ results }) => results.some(({ set }) => set === name));
  const some = [...new Set(missing.map(({ set }) => set))];
  const partly = some.filter(isMeasured).length;
  const gone = some.length - partly;
  const counts = [
    ...(gone > 0 ? [`${gone} of ${sets.length} sets`] : []),
    ...(partly > 0 ? [`${partly} of ${sets.length} sets for some encoders`] : []),
  ];
  return [`Missing: ${counts.join("; ")}.`, ...missingLines(missing).map((line) => `  ${line}`)];
}
