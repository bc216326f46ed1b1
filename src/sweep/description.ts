import { dirname, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { Fields } from "../fields.ts";
import { readYaml } from "../text.ts";

/** Options of a `lore` command by their names without dashes; a list is several values of one option. */
export type Options = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** A run to train, once per seed. */
export interface SweepRun {
  readonly name: string;
  readonly seeds: readonly number[];
  /** Options of `lore train`, including those common to all runs. */
  readonly options: Options;
}

/** Measurement to make of every run. In its options `{run}` stands for the run's folder. */
export interface SweepMeasurement {
  readonly name: string;
  readonly command: "evaluate" | "blend" | "corruptions" | "fidelity" | "benchmark" | "probe" | "interpret";
  readonly options: Options;
}

/** Many runs, and measurements of each of them. */
export interface Sweep {
  readonly name: string;
  /** Folder of runs and results. */
  readonly out: string;
  readonly runs: readonly SweepRun[];
  readonly measurements: readonly SweepMeasurement[];
}

const measuring: readonly SweepMeasurement["command"][] = [
  "evaluate",
  "blend",
  "corruptions",
  "fidelity",
  "benchmark",
  "probe",
  "interpret",
];

/**
 * Reads a sweep's description: YAML or JSON with `out`, `train` (options of all runs), `runs` (each with `name`, `seeds`,
 * `options`) and `measure` (each with `name`, `command`, `options`). Options are those of the commands, by their names
 * without dashes. Paths are relative to the working directory.
 *
 * @throws UsageError that names file, entry and field
 */
export function readSweep(file: string): Sweep {
  const place = `Sweep ${file}`;
  const fields = new Fields(readYaml(file, place), place, ["name", "out", "train", "runs", "measure"]);
  const shared = optionsOf(fields, "train");
  const runs = fields.required("runs", fields.list("runs")).map((value, i): SweepRun => {
    const run = new Fields(value, `${place}, run ${i + 1}`, ["name", "seeds", "options"]);
    const name = run.required("name", run.text("name"));
    return { name, seeds: seedsOf(run), options: { ...shared, ...optionsOf(run, "options") } };
  });
  const measurements = (fields.list("measure") ?? []).map((value, i): SweepMeasurement => {
    const one = new Fields(value, `${place}, measurement ${i + 1}`, ["name", "command", "options"]);
    const command = one.required("command", one.oneOf("command", measuring));
    return { name: one.text("name") ?? command, command, options: optionsOf(one, "options") };
  });
  for (const [what, names] of [
    ["runs", runs.map(({ name }) => name)],
    ["measurements", measurements.map(({ name }) => name)],
  ] as const) {
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) throw new UsageError(`${place}: two ${what} are called ${twice}.`);
    const odd = names.find((name) => !/^[\w.-]+$/.test(name));
    if (odd !== undefined)
      throw new UsageError(`${place}: "${odd}" is no name of a folder: use letters, digits, dots and dashes.`);
  }
  return {
    name: fields.text("name") ?? file,
    out: fields.text("out") ?? resolve(dirname(file), "sweep"),
    runs,
    measurements,
  };
}

function seedsOf(run: Fields): readonly number[] {
  const seeds = run.list("seeds") ?? [0];
  const odd = seeds.find((seed) => !Number.isSafeInteger(seed) || (seed as number) < 0);
  if (odd !== undefined) throw run.problem("seeds", `whole numbers from 0 are needed, not ${JSON.stringify(odd)}.`);
  return seeds as readonly number[];
}

function optionsOf(fields: Fields, name: string): Options {
  const value = fields.value(name) ?? {};
  if (typeof value !== "object" || Array.isArray(value))
    throw fields.problem(name, "options by name are needed, such as { epsilon: 2/255 }.");
  for (const [option, given] of Object.entries(value)) {
    const fits = ["string", "number", "boolean"].includes(typeof given) || (Array.isArray(given) && given.length > 0);
    if (!fits) throw fields.problem(name, `${option} must be a text, a number, true, false or a list of texts.`);
  }
  return value as Options;
}
