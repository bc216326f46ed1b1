/** The log of runs that docs/RESULTS.md is made of: a line a run and weight. */
import { readFileSync } from "node:fs";
import { groupsBy } from "../../src/groups.ts";
import { type Interval, wilson } from "../../src/statistics.ts";

export interface Line {
  readonly run: string;
  readonly encoder: string;
  readonly weight: number;
  /** Absent where another run computed on the same core. */
  readonly trainingSeconds?: number;
  /** Shares by "in clean", "in 1" (under attack at 1/255) ..., and the images they are of: "in images", "other attacked". */
  readonly accuracies: Readonly<Record<string, number>>;
}

/** A figure over the images of several seeds; the interval leaves out what seeds differ by. */
export interface Figure extends Interval {
  readonly share: number;
  readonly images: number;
}

export function readLog(path: string): readonly Line[] {
  const lines = readFileSync(path, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Line);
}

/** The run without its encoder and seed: `recipe`, `fare-5`. */
export const nameOf = ({ run }: Line): string => run.replace(/^(clip|deit|convnet)-/, "").replace(/-\d+$/, "");

/** Lines of the same run and weight, a line a seed, in order of name and weight. */
export function seedsOf(lines: readonly Line[]): readonly (readonly Line[])[] {
  const groups = groupsBy(lines, (line) => `${nameOf(line)} ${line.weight.toFixed(2)}`);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** @returns undefined where no seed has the figure */
export function figureOf(seeds: readonly Line[], column: string): Figure | undefined {
  const of = column.startsWith("other 1") ? "other attacked" : `${column.split(" ")[0]} images`;
  const counted = seeds.filter(({ accuracies }) => accuracies[column] !== undefined);
  if (counted.length === 0) return undefined;
  const images = counted.reduce((sum, { accuracies }) => sum + accuracies[of]!, 0);
  const share = counted.reduce((sum, { accuracies }) => sum + accuracies[column]! * accuracies[of]!, 0) / images;
  return { share, images, ...wilson(share, images) };
}
