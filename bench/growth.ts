/**
 * Measures how the cost of a training step grows: time and peak memory of the small ViT over batch, depth, width and
 * tokens (LORE, K = 1; each point in a separate process). Beside them it shows the operations of the matrix products, the
 * time these take alone at the same shapes, and the memory traffic with everything and with nothing fused into them.
 *
 *     npx tsx bench/growth.ts --json growth.json
 *     npx tsx bench/growth.ts --from growth.json --chart growth.svg
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { parseCount } from "../src/cli/parsers.ts";
import { UsageError } from "../src/errors.ts";
import { writeAtomically } from "../src/files.ts";
import type { BenchOptions, BenchResult } from "../src/profiling/index.ts";
import type { CompileOptions } from "../src/runtime/index.ts";
import { growthChart } from "./growth-chart.ts";
import { type Axis, axes, type GrowthPoint, pointsOf, samePoint, valueOn } from "./growth-points.ts";
import { type Growth, growthTables, type MeasuredPoint } from "./growth-table.ts";
import { thisMachine } from "./machine.ts";
import { main } from "./main.ts";
import { compileOnce } from "./once.ts";

interface Flags {
  readonly axis: readonly Axis[];
  readonly values?: readonly number[];
  readonly repeats: number;
  readonly threads: number;
  readonly from?: string;
  readonly json?: string;
  readonly chart?: string;
}

const command = new Command("growth")
  .description("time and memory of a training step over batch, depth, width and tokens")
  .addOption(new Option("--axis <name...>", "what grows").choices(axes).default(axes))
  .option("--values <list>", "of each axis's points, only those of these values, such as 2,4", parseValues)
  .option("--repeats <n>", "counted steps a process, after one to warm up", parseCount, 3)
  .option("--threads <n>", "threads on CPU", parseCount, availableParallelism())
  .option("--json <file>", "keep what is measured; written after every point")
  .option("--from <file>", "measure nothing: show what --json kept")
  .option("--chart <file>", "draw it as SVG")
  .action(run);

function parseValues(text: string): readonly number[] {
  const values = text.split(",").map(Number);
  if (!values.every((value) => Number.isInteger(value) && value > 0))
    throw new InvalidArgumentError("It must be positive integers between commas.");
  return values;
}

async function run(flags: Flags): Promise<void> {
  const growth = flags.from === undefined ? await measure(flags) : readGrowth(flags.from);
  process.stdout.write(`${growthTables(growth)}\n`);
  if (flags.chart !== undefined) writeAtomically(flags.chart, growthChart(growth));
}

async function measure({ axis: chosen, values, repeats, threads, json }: Flags): Promise<Growth> {
  const machine = thisMachine();
  const once = compileOnce();
  const memoryRate = await once<number>("memory", { threads } satisfies CompileOptions);
  const points: MeasuredPoint[] = [];
  const growth: Growth = { machine, threads, repeats, memoryRate, points };
  const step = async ({ model, batch }: GrowthPoint): Promise<BenchResult> =>
    once("step", { model, batch, threads, repeats, method: "lore", stepsPerBatch: 1, seed: 0 } satisfies BenchOptions);
  for (const axis of chosen) {
    for (const point of pointsOf(axis, values)) {
      const known = points.find((one) => samePoint(one.point, point));
      const result = known?.result ?? (await step(point));
      points.push({ axis, point, result });
      if (json !== undefined) writeAtomically(json, `${JSON.stringify(growth, undefined, 1)}\n`);
      process.stderr.write(`${axis} ${valueOn(axis, point)}: ${result.seconds.median.toFixed(3)} s\n`);
    }
  }
  return growth;
}

function readGrowth(path: string): Growth {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Growth;
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: --from takes what --json wrote.`, { cause });
  }
}

await main(command);
