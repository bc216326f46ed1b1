import { describe, expect, it } from "vitest";
import { compileOnce } from "../bench/once.ts";
import { growthPerStep, type SteadyUse } from "../bench/steady-run.ts";

describe("memory over training steps", () => {
  it("reads the growth from the second half", () => {
    const rises = Array.from({ length: 100 }, (_, i) => 1e8 + 300 * i);
    expect(growthPerStep({ residentBytes: rises })).toBeCloseTo(300, 6);
    const warmsUp = Array.from({ length: 100 }, (_, i) => 1e8 + 5000 * Math.min(i, 50));
    expect(growthPerStep({ residentBytes: warmsUp })).toBeCloseTo(0, 6);
  });

  it("tells growth from one leap", () => {
    const leaps = Array.from({ length: 100 }, (_, i) => 1e8 + (i < 65 ? 0 : 2e7));
    expect(growthPerStep({ residentBytes: leaps })).toBeCloseTo(0, 6);
    expect(growthPerStep({ residentBytes: leaps.map((bytes, i) => bytes + 300 * i) })).toBeGreaterThan(300 - 1e-6);
  });

  it("does not grow by as much as a batch's images", async () => {
    const use = await compileOnce()<SteadyUse>("steady-memory", { steps: 400, threads: 1 });
    expect(use.residentBytes).toHaveLength(400);
    // One array of a batch's images kept a step is 96 KiB. The garbage collector's heap goes up and down by some MiB, which
    // over 200 steps is at most a few tens of KiB a step.
    expect(growthPerStep(use)).toBeLessThan(8 * 3 * 32 ** 2 * 4);
  }, 120_000);
});
