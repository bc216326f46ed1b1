import type { BenchResult, PhaseTime } from "../profiling/index.ts";
import { percent, textTable } from "./table.ts";

const phaseNames: Readonly<Record<PhaseTime["phase"], string>> = {
  reference: "forward (original encoder)",
  int8Weights: "weights in int8",
  ascent: "forward + image gradient (attack step)",
  primal: "forward + all gradients + AdamW (primal step)",
};

/** The step and its phases, a row each: seconds over the whole batch, and rates. */
export function benchTable({ seconds, flops, phases }: BenchResult): string {
  const row = (name: string, runs: number, spread: BenchResult["seconds"], operations: number): readonly string[] => [
    name,
    `${runs}`,
    ...[spread.median, spread.min, spread.max].map((s) => s.toPrecision(3)),
    (operations / spread.median / 1e9).toFixed(0),
  ];
  return textTable(
    ["", "runs a step", "median s", "min s", "max s", "GFLOP/s"],
    [
      row("whole step", 1, seconds, flops),
      ...phases.map(({ phase, runs, seconds, flops }) => row(phaseNames[phase], runs, seconds, flops)),
    ],
  );
}

/** The step's figures in words, below the table. */
export function benchSummary(batch: number, result: BenchResult): string {
  const { seconds, flops, gemmRate, peakMemoryBytes, pageFaults } = result;
  const rate = flops / seconds.median;
  return [
    `${(batch / seconds.median).toPrecision(3)} images/s, peak memory ${(peakMemoryBytes / 2 ** 30).toFixed(2)} GiB, ` +
      `${pageFaults.toFixed(0)} page faults a step`,
    `${percent(rate / gemmRate)} of ${(gemmRate / 1e9).toFixed(0)} GFLOP/s, ONNX Runtime's MatMul at the step's own shapes`,
  ].join("\n");
}
