import { expect, it } from "vitest";
import { endlessNoise, noise } from "./noise.ts";

it("draws up to a period, then repeats it to the end of the array", () => {
  let draws = 0;
  const data = noise(200_000, () => ++draws);
  expect(draws).toBeLessThan(data.length);
  expect(data.every((value, i) => value === (i % draws) + 1)).toBe(true);
  expect(noise(3, () => 7)).toEqual(Float32Array.of(7, 7, 7));
});

it("gives the same numbers without end", () => {
  let draws = 0;
  const next = endlessNoise(() => ++draws);
  const period = draws;
  const numbers = Array.from({ length: 2 * period }, next);
  expect(numbers.slice(0, period)).toEqual(numbers.slice(period));
  expect(draws).toBe(period);
});
