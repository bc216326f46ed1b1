import { describe, expect, it } from "vitest";
import { growthOption } from "../bench/growth-chart.ts";
import { axes, growthPoints, pointsOf, samePoint, valueOn } from "../bench/growth-points.ts";
import { type Growth, growthTables } from "../bench/growth-table.ts";
import type { BenchResult } from "../src/profiling/index.ts";

describe("growthPoints", () => {
  it("grows one thing an axis, and every axis goes through the same base", () => {
    for (const axis of axes) {
      const values = growthPoints[axis].map((point) => valueOn(axis, point));
      expect(values).toEqual(values.toSorted((a, b) => a - b));
      expect(new Set(values).size).toBe(values.length);
      for (const other of axes.filter((one) => one !== axis))
        expect(new Set(growthPoints[axis].map((point) => valueOn(other, point))).size, `${axis}, ${other}`).toBe(1);
    }
    const shared = growthPoints.batch.filter((point) =>
      axes.every((axis) => growthPoints[axis].some((one) => samePoint(one, point))),
    );
    expect(shared.map((point) => axes.map((axis) => valueOn(axis, point)))).toEqual([[16, 6, 192, 65]]);
  });

  it("keeps the points of the values asked for", () => {
    expect(pointsOf("depth", [4, 2, 5]).map(({ model }) => model.depth)).toEqual([2, 4]);
    expect(pointsOf("depth", undefined)).toEqual(growthPoints.depth);
  });
});

const result: BenchResult = {
  ...{ imageSize: 32, stepsPerBatch: 1, seconds: { median: 4, min: 3, max: 5 }, flops: 200e9, gemmRate: 100e9 },
  ...{ traffic: { products: 5e9, nodes: 30e9 }, peakMemoryBytes: 512 * 2 ** 20, pageFaults: 0, phases: [] },
};

const growth: Growth = {
  machine: {
    ...{ cpu: "a processor", cores: 2, memoryBytes: 2 ** 34, versions: { node: "v20" } },
    ...{ commit: "abc", started: "2026-01-02T03:04:05Z" },
  },
  ...{ threads: 2, repeats: 3, memoryRate: 10e9 },
  points: growthPoints.batch.slice(0, 2).map((point) => ({ axis: "batch", point, result })),
};

it("has a table of each axis that was measured", () => {
  const lines = growthTables(growth).split("\n");
  expect(lines.filter((line) => line.startsWith("| batch") || line.startsWith("| depth"))).toHaveLength(1);
  // 200 GFLOP at 100 GFLOP/s take 2 s, half of the step; 5 and 30 GB at 10 GB/s 0.5 and 3 s.
  expect(lines.at(-1)).toBe(
    "| 4 | 200 | 5.00 | 30.0 | 4.00 (3.00-5.00) | 20.0 | 2.00 | 0.500 | 3.00 | 100 | 0.500 | 512 |",
  );
});

it("draws time with its bounds and memory over what grows", () => {
  const { grid, series } = growthOption(growth) as {
    readonly grid: readonly unknown[];
    readonly series: readonly { readonly name: string; readonly data: readonly unknown[] }[];
  };
  expect(grid).toHaveLength(8);
  const batch = Object.fromEntries(series.filter(({ data }) => data.length > 0).map(({ name, data }) => [name, data]));
  expect(batch).toEqual({
    step: [
      [2, 4],
      [4, 4],
    ],
    "products alone": [
      [2, 2],
      [4, 2],
    ],
    "memory traffic, unfused": [
      [2, 3],
      [4, 3],
    ],
    "memory traffic, fused": [
      [2, 0.5],
      [4, 0.5],
    ],
    "peak memory": [
      [2, 512],
      [4, 512],
    ],
  });
});
