import { groupsBy } from "../groups.ts";
import { textTable } from "../report/index.ts";
import { accuraciesIn, answerOf, planOf, readSweep, runSweep, type SweepTask } from "../sweep/index.ts";
import { commandWithArgument } from "./command.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { printJson } from "./measuring.ts";
import { type Flags, option } from "./option.ts";
import { jsonOption } from "./options.ts";
import { parseCount } from "./parsers.ts";
import { duration } from "./progress.ts";

const options = {
  jobs: option("--jobs <n>", parseCount, {
    help: "tasks at a time, each on its share of the cores",
    topic: "compute",
    default: "1",
  }),
  json: jsonOption,
};

export function sweepCommand() {
  return commandWithArgument({
    name: "sweep",
    description: "run many trainings and measurements from one description; the same command resumes them",
    argument: ["<file>", "YAML or JSON: out, train, runs, measure; docs/RESULTS.md has examples"],
    options,
    essentials: ["jobs", "json"],
    examples: ["sweep sweep.yaml", "sweep sweep.yaml --jobs 2 --json"],
    run,
  });
}

async function run(file: string, { jobs, json }: Flags<typeof options>): Promise<void> {
  const tasks = planOf(readSweep(file));
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const stop = stopOnInterrupt(() => say("Stopping; running tasks are told to save. The same command resumes."));
  let over = 0;
  const failures = await runSweep(tasks, {
    command: [process.execPath, ...process.execArgv, process.argv[1]!],
    jobs,
    signal: stop.signal,
    onTask: ({ name }, event, seconds) => {
      if (event !== "started") over++;
      const time = seconds > 0 ? ` in ${duration(seconds)}` : "";
      say(`[${over}/${tasks.length}] ${name}: ${event}${time}`);
    },
  }).finally(stop.dispose);
  for (const [{ name }, reason] of failures) say(`${name} failed: ${reason}`);
  const rows = tasks.flatMap((task) => rowOf(task));
  if (json) printJson(rows);
  else process.stdout.write(`${table(rows)}\n`);
  if (stop.signal.aborted) process.exitCode = 130;
  else if (failures.size > 0) process.exitCode = 1;
}

interface Row {
  readonly run: string;
  readonly measurement: string;
  readonly accuracies: Readonly<Record<string, number>>;
}

function rowOf(task: SweepTask): readonly Row[] {
  const answer = answerOf(task);
  if (!answer || task.measurement === undefined) return [];
  return [
    { run: task.run, measurement: task.measurement, accuracies: Object.fromEntries(accuraciesIn(answer.result)) },
  ];
}

/** Accuracies in percent, a table a measurement. */
function table(rows: readonly Row[]): string {
  const groups = groupsBy(rows, ({ measurement }) => measurement);
  if (groups.size === 0) return "Nothing is measured yet.";
  return [...groups]
    .map(([measurement, own]) => {
      const names = [...new Set(own.flatMap(({ accuracies }) => Object.keys(accuracies)))];
      const cell = (value: number | undefined): string => (value === undefined ? "-" : (100 * value).toFixed(1));
      return textTable(
        [measurement, ...names],
        own.map(({ run, accuracies }) => [run, ...names.map((name) => cell(accuracies[name]))]),
      );
    })
    .join("\n\n");
}
