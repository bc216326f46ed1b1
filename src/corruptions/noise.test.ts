import { expect, it } from "vitest";
import { randomStream } from "../random.ts";
import { poisson } from "./noise.ts";

it.each([0, 0.3, 12, 500])("Poisson numbers of mean %d have that mean and variance", (mean) => {
  const random = randomStream("poisson", mean);
  const count = 20_000;
  const numbers = Array.from({ length: count }, () => poisson(mean, random));
  const average = numbers.reduce((sum, x) => sum + x, 0) / count;
  const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count;
  // Five standard errors; the fourth central moment of a Poisson number is mean + 3 mean^2.
  expect(Math.abs(average - mean)).toBeLessThanOrEqual(5 * Math.sqrt(mean / count));
  expect(Math.abs(variance - mean)).toBeLessThanOrEqual(5 * Math.sqrt((mean + 2 * mean ** 2) / count));
});
