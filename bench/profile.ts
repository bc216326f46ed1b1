/**
 * Profiles a training step: every phase's program by ONNX Runtime's own profiler, by operator and by node, and the matrix
 * products with their rates.
 *
 *     npx tsx bench/profile.ts --case vit-b-32:8:1 deit-tiny@112:16:1
 */
import { availableParallelism } from "node:os";
import { Command } from "commander";
import { parseCount } from "../src/cli/parsers.ts";
import { dualParameters, lore } from "../src/objectives/index.ts";
import { benchEncoder } from "../src/profiling/models.ts";
import { type KernelTime, profile } from "../src/profiling/profile.ts";
import { usualMicroBatches } from "../src/training/micro-batch.ts";
import { microBatchOf, trainingGraphs } from "../src/training/training-graphs.ts";
import { describeMachine, thisMachine } from "./machine.ts";
import { main } from "./main.ts";
import { digits, markdownTable } from "./markdown.ts";
import { addCase, describeCase, parseCase, type StepCase } from "./step-cases.ts";

const usualCases = ["vit-b-32:8:1", "small:64:1", "deit-tiny@112:16:1"] as const;
const phases = { ascent: "attack step", primal: "optimiser step" } as const;

interface Flags {
  readonly case?: readonly StepCase[];
  readonly repeats: number;
  readonly threads: number;
  readonly nodes: number;
}

const command = new Command("profile")
  .description("where a training step's time goes, by operator and by node")
  .option(
    "--case <model:batch:k...>",
    `MODEL@PIXELS:BATCH:K for images of another size; K does not matter here (default: ${usualCases.join(" ")})`,
    addCase,
  )
  .option("--repeats <n>", "counted runs of a program, after one to warm up", parseCount, 5)
  .option("--threads <n>", "within an operator", parseCount, availableParallelism())
  .option("--nodes <n>", "kinds of nodes shown", parseCount, 12)
  .action(run);

async function run({ case: cases = usualCases.map(parseCase), repeats, threads, nodes }: Flags): Promise<void> {
  process.stdout.write(`${describeMachine(thisMachine())}; ${threads} threads\n`);
  for (const one of cases) {
    const encoder = benchEncoder(one.model, 0, one.imageSize);
    const objective = lore({ epsilon: 2 / 255 });
    const sizes = usualMicroBatches(encoder, objective, one.batch);
    const omega = dualParameters(objective.constraint!.dual, encoder.embeddingSize, 0);
    const graphs = trainingGraphs(encoder, objective, sizes, omega, { reference: "inputs" });
    for (const phase of ["ascent", "primal"] as const) {
      const { operators, nodes: all } = await profile(graphs[phase], { threads }, repeats);
      const images = microBatchOf(phase, sizes);
      const title = `${describeCase(one)}: ${phases[phase]} of ${images} images`;
      const total = operators.reduce((sum, { seconds }) => sum + seconds, 0);
      const tables = [table("operator", operators, total), table("node", all.slice(0, nodes), total)];
      process.stdout.write(`\n## ${title}\n\n${tables.join("\n\n")}\n`);
    }
  }
}

/** @param total seconds of the whole program */
function table(name: string, times: readonly KernelTime[], total: number): string {
  const rows = times.map(({ what, count, seconds, flops }) => [
    what,
    count.toFixed(0),
    digits(1000 * seconds),
    `${((100 * seconds) / total).toFixed(1)} %`,
    flops > 0 ? digits(flops / seconds / 1e9) : "",
  ]);
  const all = ["all", "", digits(1000 * total), "", ""];
  return markdownTable([name, "count", "ms", "share", "GFLOP/s"], [all, ...rows]);
}

await main(command);
