import { describe, expect, it } from "vitest";
import { type AttackComparison, type AttackRate, attackTable, checkSameImages } from "../bench/attack-rate-table.ts";

const rate = (seconds: number, points: number): AttackRate => ({
  ...{ attack: "apgd-ce", epsilon: 4 / 255, accuracy: 0.25, seconds, points, right: 10 },
  broken: [1, 2, 3],
});

const machine = {
  ...{ cpu: "a processor", cores: 2, memoryBytes: 2 ** 34, versions: { node: "v20" } },
  ...{ commit: "abc", started: "2026-01-02T03:04:05Z" },
};

describe("attackTable", () => {
  it("has seconds, images/s and time a point of both, and their ratios", () => {
    const comparison: AttackComparison = {
      ...{ machine, threads: 2, batch: 16, peerBatch: 250, torch: "2.6.0" },
      rounds: [
        { ours: rate(4, 100), peer: rate(20, 1000) },
        { ours: rate(5, 100), peer: rate(20, 1000) },
        { ours: rate(6, 100), peer: rate(10, 1000) },
      ],
    };
    const table = attackTable(comparison);
    expect(table).toContain("apgd-ce at 4/255 on 10 images; batches of 16 here, 250 there");
    expect(table.split("\n").slice(-5)).toEqual([
      "| seconds | 5.00 (4.00-6.00) | 20.0 (10.0-20.0) | 0.250 (0.200-0.600) |",
      "| images/s | 2.00 (1.67-2.50) | 0.500 (0.500-1.00) | 4.00 (1.67-5.00) |",
      "| ms a point | 50.0 (40.0-60.0) | 20.0 (10.0-20.0) | 2.50 (2.00-6.00) |",
      "| points | 100 | 1000 | 0.100 |",
      "| accuracy left | 25.0 % | 25.0 % |  |",
    ]);
  });

  it("refuses two sides that attacked different numbers of images", () => {
    expect(() => checkSameImages({ ours: rate(1, 1), peer: { ...rate(1, 1), right: 9 } })).toThrow(
      "10 are classified rightly here, 9 there",
    );
  });
});
