import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../random.ts";
import { projectL1 } from "./l1.ts";

/** Each pixel of the result is rounded to float32, by 3e-8 below 1. */
const rounding = 2 ** -25;

function projected(point: Float32Array, clean: Float32Array, epsilon: number): Float32Array {
  const result = point.slice();
  projectL1(result, clean, epsilon);
  return result;
}

const lengthOf = (point: Float32Array, clean: Float32Array): number =>
  point.reduce((sum, x, i) => sum + Math.abs(x - clean[i]!), 0);

/**
 * The largest inner product of `slope` and a feasible move: spend epsilon on the steepest pixels first, each up to its
 * edge of [0, 1].
 */
function largestGain(slope: readonly number[], clean: Float32Array, epsilon: number): number {
  const room = slope.map((s, i) => (s > 0 ? 1 - clean[i]! : clean[i]!));
  let [left, gain] = [epsilon, 0];
  for (const i of slope.map((_, k) => k).sort((a, b) => Math.abs(slope[b]!) - Math.abs(slope[a]!))) {
    const spent = Math.min(room[i]!, left);
    gain += spent * Math.abs(slope[i]!);
    left -= spent;
  }
  return gain;
}

/** The same by its definition: bisection on the amount that every move shrinks by. */
function slowly(point: Float32Array, clean: Float32Array, epsilon: number): number[] {
  const shrunk = (amount: number): number[] =>
    Array.from(point, (y, i) => {
      const move = y - clean[i]!;
      const rest = Math.sign(move) * Math.max(Math.abs(move) - amount, 0);
      return Math.min(Math.max(rest, -clean[i]!), 1 - clean[i]!);
    });
  const lengthAt = (amount: number): number => shrunk(amount).reduce((sum, d) => sum + Math.abs(d), 0);
  if (lengthAt(0) <= epsilon) return shrunk(0);
  let [low, high] = [0, Math.max(...Array.from(point, (y, i) => Math.abs(y - clean[i]!)))];
  for (let round = 0; round < 200; round++) {
    const middle = (low + high) / 2;
    if (lengthAt(middle) > epsilon) low = middle;
    else high = middle;
  }
  return shrunk(high);
}

/** Points far outside and inside, on a coarse grid (many ties, pixels at the edges) or not. */
const problems = fc
  .record({
    length: fc.integer({ min: 1, max: 48 }),
    scale: fc.constantFrom(0.01, 0.3, 3),
    share: fc.constantFrom(0, 0.001, 0.1, 0.5, 0.9, 1, 1.5),
    grid: fc.constantFrom(0, 1 / 4),
    seed: fc.nat(),
  })
  .map(({ length, scale, share, grid, seed }) => {
    const random = randomStream("l1", seed);
    const drawn = (value: number): number => (grid > 0 ? Math.round(value / grid) * grid : value);
    const clean = new Float32Array(length).map(() => drawn(random.uniform()));
    const point = clean.map((x) => x + drawn(scale * random.normal()));
    return { clean, point, epsilon: share * lengthOf(point, clean) };
  });

describe("projectL1", () => {
  test("stays in the ball and [0, 1], and is the nearest image there", () => {
    fc.assert(
      fc.property(problems, ({ clean, point, epsilon }) => {
        const result = projected(point, clean, epsilon);
        expect(result.every((x) => x >= 0 && x <= 1)).toBe(true);
        expect(lengthOf(result, clean)).toBeLessThanOrEqual(epsilon + point.length * rounding);
        // p is nearest to y exactly if (y - p) (q - p) <= 0 for every feasible q: no linear gain is left.
        const residual = Array.from(point, (y, i) => y - result[i]!);
        const here = residual.reduce((sum, r, i) => sum + r * (result[i]! - clean[i]!), 0);
        // Both sides shift by at most |y - p| + 1 a pixel's rounding, and |y - p| is below 15.
        expect(largestGain(residual, clean, epsilon) - here).toBeLessThanOrEqual(16 * point.length * rounding);
      }),
      { numRuns: 500 },
    );
  });

  test("agrees with bisection in float64 on every pixel", () => {
    fc.assert(
      fc.property(problems, ({ clean, point, epsilon }) => {
        const result = projected(point, clean, epsilon);
        for (const [i, move] of slowly(point, clean, epsilon).entries()) {
          // Once for the result's rounding to float32, once for all of float64's.
          expect(Math.abs(result[i]! - (clean[i]! + move))).toBeLessThanOrEqual(2 * rounding);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("by hand: shrinks all moves by 1/8; one that the edge cuts short stays there", () => {
    // Moves 1/2, -3/8, 1/16 and 1, of which 3/8 fits. What is left is 3/8, -1/4, 0 and 3/8.
    const clean = Float32Array.of(0.25, 0.5, 0.5, 0.625);
    const point = Float32Array.of(0.75, 0.125, 0.5625, 1.625);
    expect(projected(point, clean, 1)).toEqual(Float32Array.of(0.625, 0.25, 0.5, 1));
  });

  test("what is inside stays to the bit; epsilon 0 gives the clean image", () => {
    fc.assert(
      fc.property(problems, ({ clean, point }) => {
        const inBox = point.map((x) => Math.min(Math.max(x, 0), 1));
        expect(projected(inBox, clean, lengthOf(inBox, clean) + 1e-9)).toEqual(inBox);
        expect(projected(point, clean, 0)).toEqual(clean);
      }),
    );
  });

  test("pixels that end up clean are clean to the bit: sparsity can be counted", () => {
    const random = randomStream("sparse");
    const clean = new Float32Array(1000).map(() => random.uniform());
    const point = clean.map((x) => x + 0.1 * random.normal());
    const wanted = slowly(point, clean, 1).filter((move) => move !== 0).length;
    const moved = projected(point, clean, 1).filter((x, i) => x !== clean[i]).length;
    expect(moved).toBe(wanted);
    expect(moved).toBeLessThan(100);
  });

  test("a picture of 224 pixels: the ball is filled", () => {
    const random = randomStream("large");
    const clean = new Float32Array(3 * 224 * 224).map(() => random.uniform());
    const point = clean.map((x) => x + random.normal());
    const result = projected(point, clean, 12);
    const moved = result.filter((x, i) => x !== clean[i]).length;
    expect(Math.abs(lengthOf(result, clean) - 12)).toBeLessThanOrEqual(moved * rounding);
  });
});
