/**
 * Measures whether training's memory grows: resident memory over 1,000 steps of a tiny encoder, in a separate process.
 *
 *     npx tsx bench/steady.ts
 */
import { Command } from "commander";
import { parseCount } from "../src/cli/parsers.ts";
import { describeMachine, thisMachine } from "./machine.ts";
import { main } from "./main.ts";
import { markdownTable } from "./markdown.ts";
import { compileOnce } from "./once.ts";
import { growthPerStep, type SteadyOptions, type SteadyUse } from "./steady-run.ts";

const command = new Command("steady")
  .description("resident memory over many training steps")
  .option("--steps <n>", "training steps", parseCount, 1000)
  .option("--threads <n>", "threads on CPU", parseCount, 1)
  .action(run);

async function run(options: SteadyOptions): Promise<void> {
  const use = await compileOnce()<SteadyUse>("steady-memory", options);
  const every = Math.max(1, Math.floor(use.residentBytes.length / 10));
  const rows = use.residentBytes.flatMap((bytes, i) =>
    i === 0 || (i + 1) % every === 0 ? [[`${i + 1}`, (bytes / 2 ** 20).toFixed(1)]] : [],
  );
  const slope = `Over the second half it grows by ${(growthPerStep(use) / 2 ** 10).toFixed(2)} KiB a step.`;
  process.stdout.write(
    `${describeMachine(thisMachine())}\n\n${markdownTable(["step", "resident, MiB"], rows)}\n\n${slope}\n`,
  );
}

await main(command);
