/**
 * Compares the model of a training run's memory (src/training/memory.ts) with measurements. Every case fine-tunes in a
 * separate process. Prints its largest resident memory beside the expected one.
 *
 *     npx tsx bench/memory.ts
 *     npx tsx bench/memory.ts --case vit-l-14:128:16:recompute --batches 1
 */
import { Command } from "commander";
import { parseCount } from "../src/cli/parsers.ts";
import { describeMachine, thisMachine } from "./machine.ts";
import { main } from "./main.ts";
import { markdownTable } from "./markdown.ts";
import { defaultCases, type MemoryCase, type MemoryUse, parseCase } from "./memory-cases.ts";
import { compileOnce } from "./once.ts";

const command = new Command("memory")
  .description("hold the model of a training run's memory against measurement")
  .option(
    "--case <model:batch:micro-batch...>",
    `the usual micro-batches where none is named; with :recompute behind it or without (default: ${defaultCases.join(" ")})`,
    (text: string, before: readonly MemoryCase[] = []) => [...before, parseCase(text)],
  )
  .option("--batches <n>", "training steps: the second finds what the first left behind", parseCount, 3)
  .action(run);

interface Flags {
  readonly case?: readonly MemoryCase[];
  readonly batches: number;
}

async function run({ case: cases = defaultCases.map(parseCase), batches }: Flags): Promise<void> {
  const once = compileOnce();
  const rows: string[][] = [];
  for (const each of cases) {
    const { expectedBytes, measuredBytes } = await once<MemoryUse>("step-memory", { ...each, batches });
    rows.push([
      each.model,
      `${each.batch}`,
      each.microBatch === undefined ? "usual" : `${each.microBatch}`,
      each.recompute ? "yes" : "no",
      mebibytes(expectedBytes),
      mebibytes(measuredBytes),
      `${Math.round(100 * (measuredBytes / expectedBytes - 1))} %`,
    ]);
    process.stderr.write(`${rows.at(-1)!.join("  ")}\n`);
  }
  const names = ["model", "batch", "micro-batch", "recompute", "expected, MiB", "measured, MiB", "measured is more by"];
  process.stdout.write(`${describeMachine(thisMachine())}\n\n${markdownTable(names, rows)}\n`);
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

await main(command);
