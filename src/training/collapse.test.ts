import { describe, expect, test } from "vitest";
import { CollapseWatch } from "./collapse.ts";
import type { StepMetrics } from "./metrics.ts";

const metrics = (step: number, spread?: number): StepMetrics => ({
  ...{ step, epoch: 0, images: step, advDistance: 1, learningRate: 1e-3, imagesPerSecond: 1 },
  ...(spread !== undefined && { spread }),
});
const warnings = (spreads: readonly (number | undefined)[]): readonly string[] => {
  const watch = new CollapseWatch();
  return spreads.flatMap((spread, i) => watch.observe(metrics(i + 1, spread)) ?? []);
};

describe("the spread of embeddings", () => {
  test("near nothing for five batches in a row is a collapse, said once", () => {
    expect(warnings([1, ...Array(12).fill(0.01)])).toEqual([expect.stringMatching(/collapse: at step 6 .* 1\.0 %/)]);
  });

  test("far beyond the original's is divergence", () => {
    expect(warnings([1, 60, 70, 80, 90, 100])).toEqual([expect.stringMatching(/diverges: at step 6 /)]);
  });

  test("one batch now and then, or ordinary spreads, are nothing to speak of", () => {
    expect(warnings([0.01, 0.01, 1, 0.01, 0.01, 0.5, 60, 1, 20, undefined, 0.1])).toEqual([]);
  });
});
