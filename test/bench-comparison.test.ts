import { InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { findPeer } from "../bench/peer.ts";
import { runJson } from "../bench/process.ts";
import { alternate, overall, ratioOf } from "../bench/rounds.ts";
import { defaultCases, describeCase, parseCase } from "../bench/step-cases.ts";
import { changeTable, type PeerStep, type StepComparison, type StepRound, stepTable } from "../bench/step-table.ts";
import { UsageError } from "../src/errors.ts";
import type { BenchResult } from "../src/profiling/index.ts";

describe("cases", () => {
  it("reads a model, its images' size, batch and K", () => {
    const deit = { model: "deit-tiny", imageSize: 112, batch: 16, stepsPerBatch: 5 };
    expect(parseCase("deit-tiny@112:16:5")).toEqual(deit);
    expect(parseCase("small:64:1")).toEqual({ model: "small", imageSize: 32, batch: 64, stepsPerBatch: 1 });
    expect(new Set(defaultCases.map((text) => describeCase(parseCase(text)))).size).toBe(defaultCases.length);
  });

  it.each(["small", "small:64", "small:0:1", "large:1:1", "small@:4:1", "small@33:4:1", "toString:1:1"])(
    "refuses %s",
    (text) => {
      expect(() => parseCase(text)).toThrow(InvalidArgumentError);
    },
  );
});

describe("rounds", () => {
  it("takes turns", async () => {
    const order: string[] = [];
    const note = (name: string) => async () => order.push(name);
    await alternate(2, note("ours"), note("peer"), () => order.push("round"));
    expect(order).toEqual(["ours", "peer", "round", "ours", "peer", "round"]);
  });

  it("divides medians, and takes the range from the rounds' own ratios", () => {
    const rounds = [
      { ours: 1, peer: 2 },
      { ours: 4, peer: 4 },
      { ours: 3, peer: 10 },
    ];
    // Medians 3 and 4; the rounds' ratios are 0.5, 1 and 0.3.
    expect(
      ratioOf(
        rounds,
        ({ ours }) => ours,
        ({ peer }) => peer,
      ),
    ).toEqual({ median: 0.75, min: 0.3, max: 1 });
  });

  it("joins the spreads of several processes", () => {
    const spreads = [
      { median: 2, min: 1, max: 9 },
      { median: 3, min: 2, max: 4 },
      { median: 7, min: 6, max: 8 },
    ];
    expect(overall(spreads)).toEqual({ median: 3, min: 1, max: 9 });
  });
});

describe("stepTable", () => {
  const spread = (median: number) => ({ median, min: median - 1, max: median + 1 });
  const round = (ours: number, peer: number): StepRound => ({
    case: parseCase("small:64:1"),
    ours: { seconds: spread(ours), flops: 200e9, gemmRate: 100e9, peakMemoryBytes: 2 ** 29 } as BenchResult,
    peer: {
      ...{ secondsPerStep: peer, secondsPerStepMin: peer - 1, secondsPerStepMax: peer + 1 },
      ...{ peakMemoryBytes: 2 ** 30, torch: "2.6.0", capability: "AVX2" },
    } as PeerStep,
  });
  const comparison = (...rounds: readonly StepRound[]): StepComparison => ({
    machine: {
      ...{ cpu: "a processor", cores: 2, memoryBytes: 2 ** 34, versions: { node: "v20" } },
      ...{ commit: "abc", started: "2026-01-02T03:04:05Z" },
    },
    ...{ threads: 2, repeats: 3, tuned: true, cachedOriginal: true, device: "webgpu", precision: "float32", rounds },
  });

  it("has a row a case: seconds, ratios, memory, share of the matrix products' rate", () => {
    const lines = stepTable(comparison(round(4, 8), round(5, 8), round(4, 10))).split("\n");
    expect(lines[0]).toContain(
      "PyTorch 2.6.0 (AVX2), tuned; ours on webgpu, after the first epoch, both in float32; 2 threads; 3 rounds of 3 counted steps a side",
    );
    // 200 GFLOP in 4 s is 50 GFLOP/s, half of 100; in 5 s 0.4.
    expect(lines.at(-1)).toBe(
      "| small at 32, batch 64, K = 1 | 4.00 (3.00-6.00) | 8.00 (7.00-11.0) | 0.500 (0.400-0.625) " +
        "| 0.50 | 1.00 | 0.500 | 50 | 0.500 (0.400-0.500) |",
    );
  });

  it("says which attack steps were not in float32", () => {
    const [settings] = stepTable({ ...comparison(round(4, 8)), attackPrecision: "int8" }).split("\n");
    expect(settings).toContain("both in float32; attack steps: ours in int8; 2 threads");
    const both = { attackPrecision: "int8", peerAttackPrecision: "bfloat16" } as const;
    expect(stepTable({ ...comparison(round(4, 8)), ...both })).toContain("ours in int8, PyTorch in bfloat16;");
    expect(stepTable(comparison(round(4, 8)))).not.toContain("attack steps");
  });

  it("shows what changed in the cases of both", () => {
    const table = changeTable(comparison(round(4, 8)), comparison(round(2, 8)));
    expect(table.split("\n").at(-1)).toContain(
      "| 4.00 | 2.00 | 8.00 | 8.00 | 0.500 (0.500-0.500) | 0.250 (0.250-0.250)",
    );
    const other = { ...round(2, 8), case: parseCase("small:8:1") };
    expect(changeTable(comparison(round(4, 8)), comparison(other)).split("\n")).toHaveLength(2);
  });
});

describe("processes", () => {
  const node = (code: string): readonly string[] => [process.execPath, "-e", code];

  it("reads what one prints, and says what is wrong with one that fails", async () => {
    expect(await runJson(node("console.log(JSON.stringify({ a: [1] }))"))).toEqual({ a: [1] });
    await expect(runJson(node("console.error('no memory'); process.exit(3)"))).rejects.toThrow(
      /ended with code 3:\nno memory$/,
    );
    await expect(runJson(node("console.log('hello')"))).rejects.toThrow(/printed no JSON, but: hello/);
    await expect(runJson(node("process.kill(process.pid, 'SIGKILL')"))).rejects.toThrow(/was ended by SIGKILL/);
    await expect(runJson(["/nowhere/python3"])).rejects.toThrow(/\/nowhere\/python3 did not start/);
  });

  it("refuses a peer that does not start or has no PyTorch", async () => {
    await expect(findPeer("/nowhere/python3")).rejects.toThrow(UsageError);
    await expect(findPeer(`${process.execPath} --check`)).rejects.toThrow(/The peer does not start. Give --peer/);
  });
});
