/**
 * The judge of training speed: times our training step and the same step in PyTorch (bench/peer/lore_step.py)
 * alternately, each time in a process of its own, with as many threads, and prints medians, ranges, peak memory, their
 * ratios, and how near our step comes to the rate of its matrix products alone. On a GPU with --device: memory is then still
 * the processes' own, not the device's.
 *
 *     npx tsx bench/compare-step.ts --peer "chroot /srv/peer python3" --json before.json
 *     npx tsx bench/compare-step.ts --device webgpu --precision float16 --case vit-b-32:64:1 vit-b-32:256:1
 *     npx tsx bench/compare-step.ts --attack-precision int8 --peer-attack-precision bfloat16 --case vit-b-32:8:1
 *     npx tsx bench/compare-step.ts --table before.json after.json
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import { parseCount } from "../src/cli/parsers.ts";
import { UsageError } from "../src/errors.ts";
import { writeAtomically } from "../src/files.ts";
import type { BenchOptions, BenchResult } from "../src/profiling/index.ts";
import type { Device } from "../src/runtime/index.ts";
import { thisMachine } from "./machine.ts";
import { main } from "./main.ts";
import { compileOnce } from "./once.ts";
import { findPeer, type Peer, peerOption, runPeer } from "./peer.ts";
import { ProcessError } from "./process.ts";
import { alternate } from "./rounds.ts";
import { addCase, defaultCases, describeCase, parseCase, type StepCase } from "./step-cases.ts";
import {
  type AttackPrecision,
  changeTable,
  type PeerAttackPrecision,
  type PeerDevice,
  type PeerStep,
  type Precision,
  type StepComparison,
  type StepRound,
  stepTable,
} from "./step-table.ts";

interface Flags {
  readonly case?: readonly StepCase[];
  readonly rounds: number;
  readonly repeats: number;
  readonly threads: number;
  readonly device: Device;
  readonly peerDevice?: PeerDevice;
  readonly precision: Precision;
  readonly attackPrecision: AttackPrecision;
  readonly peerAttackPrecision: PeerAttackPrecision;
  readonly peer: string;
  readonly plainPeer?: true;
  readonly laterEpochs?: true;
  readonly json?: string;
  readonly table?: readonly string[];
}

const command = new Command("compare-step")
  .description("time our training step and PyTorch's alternately, each time in a process of its own")
  .option(
    "--case <model:batch:k...>",
    `what to time; MODEL@PIXELS:BATCH:K for images of another size (default: ${defaultCases.join(" ")})`,
    addCase,
  )
  .option("--rounds <n>", "processes a side and case, ours and the peer's in turn", parseCount, 3)
  .option("--repeats <n>", "counted steps a process, after one to warm up", parseCount, 3)
  .option("--threads <n>", "of both sides", parseCount, availableParallelism())
  .addOption(new Option("--device <name>", "of our side").choices(["cpu", "webgpu", "cuda"]).default("cpu"))
  .addOption(
    new Option("--peer-device <name>", "of PyTorch's side (default: cuda where ours is a GPU)").choices([
      "cpu",
      "cuda",
    ]),
  )
  .addOption(new Option("--precision <name>", "of both sides").choices(["float32", "float16"]).default("float32"))
  .addOption(
    new Option("--attack-precision <name>", "of products in our attack steps")
      .choices(["float32", "int8"])
      .default("float32"),
  )
  .addOption(
    new Option("--peer-attack-precision <name>", "of PyTorch's attack steps")
      .choices(["float32", "bfloat16"])
      .default("float32"),
  )
  .addOption(peerOption())
  .option("--plain-peer", "PyTorch as people write it, not tuned")
  .option("--later-epochs", "our step as after the first epoch: original embeddings from the cache")
  .option("--json <file>", "keep what is measured; written after every round")
  .option(
    "--table <file...>",
    "measure nothing: print the tables of these files, and what changed from the first to the last",
  )
  .action(run);

async function run(flags: Flags): Promise<void> {
  if (flags.table) {
    process.stdout.write(tables(flags.table.map(readComparison)));
    return;
  }
  const { rounds, repeats, threads, json, device, precision, attackPrecision, peerAttackPrecision } = flags;
  const peerDevice = flags.peerDevice ?? (device === "cpu" ? "cpu" : "cuda");
  const peer = await findPeer(flags.peer);
  const tuned = !flags.plainPeer;
  const cachedOriginal = flags.laterEpochs === true;
  const once = compileOnce();
  const measured: StepRound[] = [];
  const comparison: StepComparison = {
    machine: thisMachine(),
    threads,
    repeats,
    tuned,
    cachedOriginal,
    device,
    precision,
    attackPrecision,
    peerAttackPrecision,
    rounds: measured,
  };
  for (const one of flags.case ?? defaultCases.map(parseCase)) {
    const settings = { ...one, threads, repeats, precision };
    await alternate(
      rounds,
      () =>
        once<BenchResult>("step", {
          ...settings,
          device,
          cachedOriginal,
          attackPrecision,
          method: "lore",
          seed: 0,
        } satisfies BenchOptions),
      () => peerStep(peer, { ...settings, device: peerDevice, attackPrecision: peerAttackPrecision }, tuned),
      (round) => {
        measured.push({ case: one, ...round });
        if (json !== undefined) writeAtomically(json, `${JSON.stringify(comparison, undefined, 1)}\n`);
        const { ours, peer } = round;
        const seconds = `ours ${ours.seconds.median.toFixed(3)} s, PyTorch ${peer.secondsPerStep.toFixed(3)} s`;
        process.stderr.write(`${describeCase(one)}: ${seconds}\n`);
      },
    );
  }
  process.stdout.write(tables([comparison]));
}

interface Settings extends StepCase {
  readonly threads: number;
  readonly repeats: number;
  readonly device: PeerDevice;
  readonly precision: Precision;
  readonly attackPrecision: PeerAttackPrecision;
}

async function peerStep(peer: Peer, settings: Settings, tuned: boolean): Promise<PeerStep> {
  const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const args = Object.entries(settings).flatMap(([name, value]) => [flagOf(name), `${value}`]);
  const step = await runPeer<PeerStep>(peer, "lore_step.py", [
    ...args,
    ...(tuned ? ["--tuned"] : []),
    "--step-only",
    "--json",
  ]);
  for (const name of [
    "imageSize",
    "batch",
    "stepsPerBatch",
    "threads",
    "device",
    "precision",
    "attackPrecision",
  ] as const)
    if (step[name] !== settings[name])
      throw new ProcessError(`The peer timed another step: its ${name} is ${step[name]}, not ${settings[name]}.`);
  return step;
}

function readComparison(path: string): StepComparison {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as StepComparison;
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: --table takes what --json wrote.`, { cause });
  }
}

function tables(comparisons: readonly StepComparison[]): string {
  const [first, last] = [comparisons[0]!, comparisons.at(-1)!];
  const change = first === last ? [] : [changeTable(first, last)];
  return `${[...comparisons.map(stepTable), ...change].join("\n\n")}\n`;
}

await main(command);
