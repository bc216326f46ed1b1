import { describe, expect, it } from "vitest";
import { lore } from "./cli.ts";

describe("lore bench", () => {
  it("prints exactly the promised figures as JSON", async () => {
    const { code, stdout, stderr } = await lore(
      "bench --model small --batch 2 --repeats 1 --steps-per-batch 1 --json".split(" "),
    );
    expect(code, stderr).toBe(0);
    const figures = JSON.parse(stdout) as Record<string, unknown>;
    expect(figures).toEqual({
      model: "small",
      batch: 2,
      stepsPerBatch: 1,
      secondsPerStep: expect.any(Number),
      imagesPerSecond: expect.any(Number),
      gflops: expect.any(Number),
      gemmShare: expect.any(Number),
      peakMemoryBytes: expect.any(Number),
    });
    for (const name of ["secondsPerStep", "imagesPerSecond", "gflops", "gemmShare", "peakMemoryBytes"]) {
      expect(figures[name], name).toBeGreaterThan(0);
    }
    const { secondsPerStep, imagesPerSecond } = figures as Record<string, number>;
    expect(imagesPerSecond! * secondsPerStep!).toBeCloseTo(2, 6);
  });

  it("refuses an image size that the patches do not divide", async () => {
    const { code, stdout, stderr } = await lore("bench --model small --image-size 33".split(" "));
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Image size 33 does not fit small: use a multiple of its patch size 4.");
  });
});
