import { join } from "node:path";
import { defined } from "../defined.ts";
import type { Options, Sweep } from "./description.ts";

/** One call of `lore`, whose answer is saved in a file. */
export interface SweepTask {
  /** "recipe-0" or "recipe-0 front". */
  readonly name: string;
  readonly run: string;
  /** Folder of the run. */
  readonly folder: string;
  /** Absent for the training itself. */
  readonly measurement?: string;
  /** Arguments after `lore`. */
  readonly args: readonly string[];
  /** File with the answer; a task is done once it exists. */
  readonly answer: string;
}

/** All tasks of a sweep, a run's training before its measurements. */
export function planOf({ out, runs, measurements }: Sweep): readonly SweepTask[] {
  return runs.flatMap(({ name, seeds, options }) =>
    seeds.flatMap((seed) => {
      const run = `${name}-${seed}`;
      const folder = join(out, run);
      const task = (measurement: string | undefined, args: readonly string[]): SweepTask => ({
        name: measurement === undefined ? run : `${run} ${measurement}`,
        ...{ run, folder, args },
        ...defined({ measurement }),
        answer: join(out, `${run}.${measurement ?? "train"}.json`),
      });
      return [
        task(undefined, ["train", ...argumentsOf({ ...options, seed, out: folder })]),
        ...measurements.map(({ name: measured, command, options: given }) =>
          task(measured, [command, ...argumentsOf(filled(given, folder))]),
        ),
      ];
    }),
  );
}

function filled(options: Options, folder: string): Options {
  const fill = (text: string): string => text.replaceAll("{run}", folder);
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => {
      if (typeof value === "string") return [name, fill(value)];
      return [name, Array.isArray(value) ? value.map((text) => fill(String(text))) : value];
    }),
  );
}

function argumentsOf(options: Options): readonly string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === false) return [];
    if (value === true) return [`--${name}`];
    return [`--${name}`, ...(Array.isArray(value) ? value.map(String) : [String(value)])];
  });
}
