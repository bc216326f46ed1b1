import fc from "fast-check";
import { expect, test } from "vitest";
import { randomStream } from "../random.ts";
import { projectL1 } from "./l1.ts";

const images = fc.record({
  seed: fc.nat(),
  size: fc.integer({ min: 1, max: 40 }),
  epsilon: fc.double({ min: 0, max: 8, noNaN: true }),
  spread: fc.constantFrom(0.05, 0.5, 3),
});

function draw(seed: number, size: number, spread: number) {
  const random = randomStream(seed);
  // Pixels at 0 and 1 are common in pictures.
  const clean = Float32Array.from({ length: size }, () => random.pick([0, 1, random.uniform()]));
  const point = clean.map((x) => x + spread * random.normal());
  return { clean, point };
}

const moves = (point: Float32Array, clean: Float32Array): number[] => Array.from(point, (x, i) => x - clean[i]!);
const l1 = (values: readonly number[]): number => values.reduce((sum, x) => sum + Math.abs(x), 0);
/** Sums of 40 numbers below 8 that were rounded to float32. */
const slack = 1e-5;

test("the result lies in the ball and in [0, 1]", () => {
  fc.assert(
    fc.property(images, ({ seed, size, epsilon, spread }) => {
      const { clean, point } = draw(seed, size, spread);
      projectL1(point, clean, epsilon);
      expect(l1(moves(point, clean))).toBeLessThanOrEqual(epsilon + slack);
      expect(point.every((x) => x >= 0 && x <= 1)).toBe(true);
    }),
  );
});

test("no other point of the ball and the box is nearer: none lies in the direction of the point", () => {
  fc.assert(
    fc.property(images, ({ seed, size, epsilon, spread }) => {
      const { clean, point } = draw(seed, size, spread);
      const before = point.slice();
      projectL1(point, clean, epsilon);
      const residual = Array.from(before, (x, i) => x - point[i]!);
      // The projection u onto a convex set is the point with <x - u, v - u> <= 0 for all v of the set.
      const random = randomStream("others", seed);
      for (let trial = 0; trial < 20; trial++) {
        const other = clean.map((x) => x + spread * random.normal() * random.below(2));
        const box = other.map((x) => Math.min(Math.max(x, 0), 1));
        const far = l1(moves(box, clean));
        const shrink = far > epsilon ? epsilon / far : 1;
        const inside = moves(box, clean).map((move, i) => clean[i]! + shrink * move);
        const product = residual.reduce((sum, r, i) => sum + r * (inside[i]! - point[i]!), 0);
        expect(product).toBeLessThanOrEqual(slack * Math.max(1, l1(residual)));
      }
    }),
  );
});

test("a point of the ball stays where it is", () => {
  const clean = Float32Array.of(0.5, 0.5, 0.5);
  const point = Float32Array.of(0.75, 0.5, 0.25);
  projectL1(point, clean, 0.5);
  expect([...point]).toEqual([0.75, 0.5, 0.25]);
});

test("by hand: equal shrinking, and a pixel at its bound", () => {
  const point = Float32Array.of(1.5, 0.9, 0.1);
  projectL1(point, Float32Array.of(0.9, 0.5, 0), 0.4);
  // Moves 0.6 (room 0.1), 0.4 and 0.1 (rooms 0.5 and 1), shrunk by 0.1: 0.1 + 0.3 + 0.
  for (const [i, x] of [1, 0.8, 0].entries()) expect(point[i]).toBeCloseTo(x, 6);
});
