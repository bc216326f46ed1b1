/**
 * The tables of docs/RESULTS.md from the log of runs: `npx tsx scripts/results/table.ts scripts/results/log.jsonl [RUN...]`, of
 * runs whose names begin with one of these. A run's seeds are one row, as means; the interval is Wilson's over the images of all
 * seeds, which leaves out what seeds differ by.
 */
import { markdownTable } from "../../bench/markdown.ts";
import { groupsBy } from "../../src/groups.ts";
import { figureOf, nameOf, readLog, seedsOf } from "./log.ts";

const [path, ...prefixes] = process.argv.slice(2);
const lines = readLog(path!).filter(
  (line) => prefixes.length === 0 || prefixes.some((prefix) => nameOf(line).startsWith(prefix)),
);
const columns = ["in clean", "in 1", "in 2", "in 4", "in 8", "other clean", "other 1"];

for (const [encoder, own] of groupsBy(lines, (line) => line.encoder)) {
  const shown = columns.filter((column) => own.some(({ accuracies }) => accuracies[column] !== undefined));
  const timed = own.some(({ trainingSeconds }) => trainingSeconds !== undefined);
  const rows = seedsOf(own).map((seeds) => {
    const cells = shown.map((column) => {
      const figure = figureOf(seeds, column);
      if (figure === undefined) return "";
      const { share, low, high } = figure;
      return `${(100 * share).toFixed(1)} [${(100 * low).toFixed(0)}-${(100 * high).toFixed(0)}]`;
    });
    const seconds = seeds.flatMap(({ trainingSeconds }) => trainingSeconds ?? []);
    const mean = seconds.reduce((sum, each) => sum + each, 0) / seconds.length;
    const images = figureOf(seeds, "in clean")?.images ?? 0;
    const time = timed ? [seconds.length === 0 ? "" : mean.toFixed(0)] : [];
    return [nameOf(seeds[0]!), seeds[0]!.weight.toFixed(2), `${seeds.length}`, `${images}`, ...cells, ...time];
  });
  const names = ["run", "weight", "seeds", "images", ...shown, ...(timed ? ["training, s"] : [])];
  process.stdout.write(`${encoder}\n\n${markdownTable(names, rows)}\n\n`);
}
