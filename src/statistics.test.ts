import { describe, expect, test } from "vitest";
import { mcnemar, newcombe, pairedInterval, wilson } from "./statistics.ts";

describe("Wilson's interval", () => {
  // Newcombe 1998, table I, method 3, and the closed forms at the ends: z^2 / (n + z^2) and its complement.
  test.each([
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.16113],
    [20, 20, 0.83887, 1],
    [5, 10, 0.23659, 0.76341],
  ])("%d of %d", (hits, count, low, high) => {
    const interval = wilson(hits / count, count);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });

  test("ends are the shares from which the count is z standard errors away", () => {
    const [share, count] = [0.3, 50];
    const { low, high } = wilson(share, count);
    for (const end of [low, high])
      expect(Math.abs(share - end) / Math.sqrt((end * (1 - end)) / count)).toBeCloseTo(1.959964, 5);
  });
});

describe("McNemar's exact test", () => {
  // Sums of binomial coefficients by hand: 2 (1 + 10 + 45) / 2^10, and so on.
  test.each([
    [2, 8, (2 * (1 + 10 + 45)) / 1024],
    [8, 2, (2 * (1 + 10 + 45)) / 1024],
    [0, 5, 2 / 32],
    [5, 5, 1],
    [0, 0, 1],
  ])("%d against %d", (first, second, p) => {
    expect(mcnemar(first, second)).toBeCloseTo(p, 12);
  });

  test("many images: the normal approximation", () => {
    // z = (900 - 1100) / sqrt(2000) with continuity 199 / 44.7 = 4.45: p = 8.6e-6.
    expect(mcnemar(900, 1100)).toBeGreaterThan(7e-6);
    expect(mcnemar(900, 1100)).toBeLessThan(1e-5);
  });
});

describe("the interval of a difference", () => {
  // Newcombe 1998, Statistics in Medicine 17:873, table II, method 10, contrasts a, d and h.
  test.each([
    [48, 80, 56, 70, 0.0524, 0.3339],
    [3, 10, 9, 10, 0.1705, 0.809],
    [0, 20, 10, 10, 0.6791, 1],
  ])("unpaired: %d of %d against %d of %d", (hits, count, others, otherCount, low, high) => {
    const interval = newcombe({ share: hits / count, count }, { share: others / otherCount, count: otherCount });
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });

  test("paired: the formula by hand, ends change sign with the order, and many images give Wald's", () => {
    // (8 - 3) / 52 +- 1.959964 sqrt((11 / 52 - (5 / 52)^2) / 52)
    const { low, high } = pairedInterval(7, 2, 50);
    expect(low).toBeCloseTo(-0.026093, 5);
    expect(high).toBeCloseTo(0.2184, 5);
    expect(pairedInterval(2, 7, 50)).toEqual({ low: -high, high: -low });
    const half = 1.959964 * Math.sqrt((0.3 - 0.1 ** 2) / 1e6);
    expect(pairedInterval(2e5, 1e5, 1e6).low).toBeCloseTo(0.1 - half, 5);
  });
});
