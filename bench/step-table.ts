import type { FixedSteps } from "../src/attacks/index.ts";
import type { BenchResult } from "../src/profiling/index.ts";
import { type Spread, spreadOf } from "../src/profiling/timing.ts";
import type { Device } from "../src/runtime/index.ts";
import { describeMachine, type Machine } from "./machine.ts";
import { digits, gib, markdownTable, spreadCell } from "./markdown.ts";
import { overall, type Round, ratioOf } from "./rounds.ts";
import { describeCase, type StepCase } from "./step-cases.ts";

export type PeerDevice = "cpu" | "cuda";
export type Precision = "float32" | "float16";
export type AttackPrecision = FixedSteps["precision"];
export type PeerAttackPrecision = "float32" | "bfloat16";

/** The used part of the output of `bench/peer/lore_step.py --step-only --json`. */
export interface PeerStep {
  readonly imageSize: number;
  readonly batch: number;
  readonly stepsPerBatch: number;
  readonly threads: number;
  readonly device: PeerDevice;
  readonly precision: Precision;
  readonly attackPrecision: PeerAttackPrecision;
  readonly secondsPerStep: number;
  readonly secondsPerStepMin: number;
  readonly secondsPerStepMax: number;
  readonly peakMemoryBytes: number;
  /** PyTorch's version. */
  readonly torch: string;
  /** The SIMD instructions that PyTorch uses, or the GPU. */
  readonly capability: string;
}

export type StepRound = Round<BenchResult, PeerStep> & { readonly case: StepCase };

/** Everything that a call of bench/compare-step.ts measured. */
export interface StepComparison {
  readonly machine: Machine;
  readonly threads: number;
  /** Counted steps of each process. */
  readonly repeats: number;
  readonly tuned: boolean;
  /** Our original embeddings came from the cache, as after the first epoch; false where absent. */
  readonly cachedOriginal?: boolean;
  /** Ours. */
  readonly device: Device;
  readonly precision: Precision;
  /** Precision of attack steps, which may compute in less than `precision`; "float32" where absent. */
  readonly attackPrecision?: AttackPrecision;
  readonly peerAttackPrecision?: PeerAttackPrecision;
  readonly rounds: readonly StepRound[];
}

/** One case's figures. */
interface StepFigures {
  readonly name: string;
  readonly ours: Spread;
  readonly peer: Spread;
  readonly ratio: Spread;
  /** Bytes. */
  readonly oursPeak: number;
  readonly peerPeak: number;
  /** The step's rate over that of ONNX Runtime's MatMul at its own shapes, from 0 to 1. */
  readonly gemmShare: Spread;
  readonly gflops: number;
}

/** Seconds, memory and ratios of every case, as Markdown; below 1, ours is the smaller. */
export function stepTable(comparison: StepComparison): string {
  const rows = figuresOf(comparison).map(({ name, ours, peer, ratio, oursPeak, peerPeak, gemmShare, gflops }) => [
    name,
    spreadCell(ours),
    spreadCell(peer),
    spreadCell(ratio),
    gib(oursPeak),
    gib(peerPeak),
    digits(oursPeak / peerPeak),
    gflops.toFixed(0),
    spreadCell(gemmShare),
  ]);
  const names = [
    ...["step", "ours s", "PyTorch s", "time ratio", "ours GiB", "PyTorch GiB", "memory ratio"],
    ...["ours GFLOP/s", "GEMM share"],
  ];
  return `${settingsOf(comparison)}\n\n${markdownTable(names, rows)}`;
}

/** The cases of both comparisons, what changed from one to the other; `PyTorch s` tells how much the machine did. */
export function changeTable(before: StepComparison, after: StepComparison): string {
  const later = figuresOf(after);
  const rows = figuresOf(before).flatMap((a) => {
    const b = later.find(({ name }) => name === a.name);
    if (!b) return [];
    const memory = ({ oursPeak, peerPeak }: StepFigures): string => digits(oursPeak / peerPeak);
    return [
      [
        a.name,
        ...[a.ours, b.ours, a.peer, b.peer].map(({ median }) => digits(median)),
        ...[a.ratio, b.ratio].map(spreadCell),
        ...[gib(a.oursPeak), gib(b.oursPeak), memory(a), memory(b)],
        ...[a.gemmShare, b.gemmShare].map(({ median }) => digits(median)),
      ],
    ];
  });
  const twice = ["ours s", "PyTorch s", "time ratio", "ours GiB", "memory ratio", "GEMM share"];
  return markdownTable(["step", ...twice.flatMap((name) => [`${name}, before`, "after"])], rows);
}

function figuresOf({ rounds }: StepComparison): readonly StepFigures[] {
  const byCase = new Map<string, StepRound[]>();
  for (const round of rounds) {
    const name = describeCase(round.case);
    byCase.set(name, [...(byCase.get(name) ?? []), round]);
  }
  return [...byCase].map(([name, rounds]) => {
    const ours = rounds.map((round) => round.ours);
    const peer = rounds.map((round) => round.peer);
    const seconds = overall(ours.map(({ seconds }) => seconds));
    return {
      name,
      ours: seconds,
      peer: overall(peer.map(peerSpread)),
      ratio: ratioOf(
        rounds,
        ({ ours }) => ours.seconds.median,
        ({ peer }) => peer.secondsPerStep,
      ),
      oursPeak: Math.max(...ours.map(({ peakMemoryBytes }) => peakMemoryBytes)),
      peerPeak: Math.max(...peer.map(({ peakMemoryBytes }) => peakMemoryBytes)),
      gemmShare: spreadOf(ours.map(({ flops, seconds, gemmRate }) => flops / seconds.median / gemmRate)),
      gflops: ours[0]!.flops / seconds.median / 1e9,
    };
  });
}

function peerSpread({ secondsPerStep, secondsPerStepMin, secondsPerStepMax }: PeerStep): Spread {
  return { median: secondsPerStep, min: secondsPerStepMin, max: secondsPerStepMax };
}

function settingsOf({
  machine,
  threads,
  repeats,
  tuned,
  cachedOriginal,
  device,
  precision,
  attackPrecision = "float32",
  peerAttackPrecision = "float32",
  rounds,
}: StepComparison): string {
  const peer = rounds[0]?.peer;
  const names = new Set(rounds.map((round) => describeCase(round.case)));
  const attacks = { ours: attackPrecision, PyTorch: peerAttackPrecision };
  const lessThan32 = Object.entries(attacks).flatMap(([side, type]) =>
    type === "float32" ? [] : `${side} in ${type}`,
  );
  return [
    describeMachine(machine),
    peer && `PyTorch ${peer.torch} (${peer.capability}), ${tuned ? "tuned" : "as people write it"}`,
    `ours on ${device}${cachedOriginal ? ", after the first epoch" : ""}, both in ${precision}`,
    lessThan32.length > 0 ? `attack steps: ${lessThan32.join(", ")}` : undefined,
    `${threads} threads; ${rounds.length / Math.max(names.size, 1)} rounds of ${repeats} counted steps a side`,
  ]
    .filter((text) => text !== undefined)
    .join("; ");
}
