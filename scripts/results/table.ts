/**
 * The table of docs/RESULTS.md from the log of runs: `npx tsx scripts/results/table.ts scripts/results/log.jsonl`. A run's
 * seeds are one row, as means; the interval is Wilson's over the images of all seeds, which leaves out what seeds differ by.
 */
import { readFileSync } from "node:fs";
import { markdownTable } from "../../bench/markdown.ts";
import { groupsBy } from "../../src/groups.ts";
import { wilson } from "../../src/statistics.ts";

interface Line {
  readonly run: string;
  readonly encoder: string;
  readonly weight: number;
  readonly trainingSeconds: number;
  readonly accuracies: Readonly<Record<string, number>>;
}

const lines = readFileSync(process.argv[2]!, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Line);
const nameOf = ({ run }: Line): string => run.replace(/^(clip|deit)-/, "").replace(/-\d+$/, "");

for (const [encoder, own] of groupsBy(lines, (line) => line.encoder)) {
  const columns = ["in clean", "in 1", "in 2", "in 4", "other clean", "other 1"];
  const shown = columns.filter((column) => own.some(({ accuracies }) => accuracies[column] !== undefined));
  const groups = groupsBy(own, (line) => `${nameOf(line)} ${line.weight}`);
  const rows = [...groups.values()].map((seeds) => {
    const cells = shown.map((column) => {
      const of = column.startsWith("other 1") ? "other attacked" : `${column.split(" ")[0]} images`;
      const counted = seeds.filter(({ accuracies }) => accuracies[column] !== undefined);
      if (counted.length === 0) return "";
      const images = counted.reduce((sum, { accuracies }) => sum + accuracies[of]!, 0);
      const share = counted.reduce((sum, { accuracies }) => sum + accuracies[column]! * accuracies[of]!, 0) / images;
      const { low, high } = wilson(share, images);
      return `${(100 * share).toFixed(1)} [${(100 * low).toFixed(0)}-${(100 * high).toFixed(0)}]`;
    });
    const seconds = seeds.reduce((sum, line) => sum + line.trainingSeconds, 0) / seeds.length;
    return [nameOf(seeds[0]!), seeds[0]!.weight.toFixed(2), `${seeds.length}`, ...cells, seconds.toFixed(0)];
  });
  process.stdout.write(`${encoder}\n\n${markdownTable(["run", "weight", "seeds", ...shown, "training, s"], rows)}\n\n`);
}
