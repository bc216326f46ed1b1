import { expect, test } from "vitest";
import { learningRateAt } from "./schedule.ts";

const rate = (step: number): number => learningRateAt(step, 2, 4, 12);

test("warm-up is linear and never zero", () => {
  expect([0, 1, 2, 3].map(rate)).toEqual([0.5, 1, 1.5, 2]);
});

test("the peak, half of it half-way, and nearly nothing at the end", () => {
  expect(rate(4)).toBe(2);
  expect(rate(8)).toBeCloseTo(1, 12);
  expect(rate(11)).toBeCloseTo(1 + Math.cos((7 / 8) * Math.PI), 12);
  expect(rate(12)).toBeCloseTo(0, 12);
  for (let step = 4; step < 12; step++) expect(rate(step + 1)).toBeLessThan(rate(step));
});

test("without warm-up it starts at the peak; a warm-up as long as training ends there", () => {
  expect(learningRateAt(0, 2, 0, 10)).toBe(2);
  expect(learningRateAt(9, 2, 10, 10)).toBe(2);
  expect(learningRateAt(0, 2, 0, 1)).toBe(2);
});
