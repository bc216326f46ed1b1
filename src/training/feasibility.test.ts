import { describe, expect, test } from "vitest";
import { FeasibilityWatch } from "./feasibility.ts";
import type { StepMetrics } from "./metrics.ts";

const metrics = (step: number, changed: Partial<StepMetrics>): StepMetrics => ({
  step,
  epoch: 0,
  images: step,
  advDistance: 1,
  cleanDistance: 0.6,
  threshold: 0.2,
  lambdaMean: 1.05 ** step,
  violationRate: 1,
  learningRate: 1e-5,
  imagesPerSecond: 1,
  ...changed,
});

/** Warnings by step. */
function watch(
  steps: number,
  changed: (step: number) => Partial<StepMetrics> = () => ({}),
): ReadonlyMap<number, string> {
  const watcher = new FeasibilityWatch();
  const warnings = new Map<number, string>();
  for (let step = 1; step <= steps; step++) {
    const warning = watcher.observe(metrics(step, changed(step)));
    if (warning) warnings.set(step, warning);
  }
  return warnings;
}

describe("a margin out of reach", () => {
  test("is told once, after forty batches, with the distance reached and what would be met", () => {
    const warnings = watch(200);
    expect([...warnings.keys()]).toEqual([40]);
    const text = warnings.get(40)!;
    expect(text).toMatch(/100 % of images violate/);
    expect(text).toMatch(/clean distance is 0\.6000, the mean threshold 0\.2000/);
    expect(text).toMatch(/rho about 3\.0 times as large/);
    expect(text).toMatch(/--rho/);
  });

  test("is told when it begins late", () => {
    const late = watch(200, (step) => (step < 100 ? { violationRate: 0.3 } : {}));
    const [first] = late.keys();
    expect(late.size).toBe(1);
    expect(first).toBeGreaterThan(110);
    expect(first).toBeLessThan(140);
  });

  test("a threshold of zero names no multiple of it", () => {
    const text = watch(40, () => ({ threshold: 0 })).get(40)!;
    expect(text).toMatch(/threshold 0\.000/);
    expect(text).not.toMatch(/Infinity|NaN/);
  });
});

describe("no warning", () => {
  test.each<[string, number, (step: number) => Partial<StepMetrics>]>([
    ["before there is enough to judge by", 39, () => ({})],
    ["while the constraint is met by a fifth of the images", 200, () => ({ violationRate: 0.8 })],
    ["while lambda stands still", 200, () => ({ lambdaMean: 5 })],
    ["while lambda falls", 200, (step) => ({ lambdaMean: 0.95 ** step })],
    ["for a constant lambda of zero", 200, () => ({ lambdaMean: 0, threshold: 0 })],
    ["without a constraint", 200, () => ({ lambdaMean: 0, violationRate: 0 })],
  ])("%s", (_, steps, changed) => {
    expect(watch(steps, changed).size).toBe(0);
  });
});
