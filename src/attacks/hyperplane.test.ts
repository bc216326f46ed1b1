import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../random.ts";
import { lengthIn } from "./ball.ts";
import { moveOnto } from "./hyperplane.ts";
import type { DenseNorm } from "./threat.ts";

/** Moves are float32 numbers up to 1, each off by up to 3e-8; sums over a few pixels with weights up to 3 stay below this. */
const slack = 1e-6;

/** Steps of a thousandth: fast-check's own doubles are mostly next to nothing, which says little here. */
const between = (low: number, high: number) => fc.integer({ min: low * 1000, max: high * 1000 }).map((n) => n / 1000);
const pixel = fc.oneof(fc.constantFrom(0, 1), between(0, 1)).map(Math.fround);
const weight = fc.oneof(fc.constantFrom(0, 1, -1), between(-3, 3)).map(Math.fround);
/** A point, a normal and a gap: `share` of what the box can close. */
const casesOf = (shares: fc.Arbitrary<number>) =>
  fc
    .record({ pixels: fc.array(fc.tuple(pixel, weight), { minLength: 1, maxLength: 6 }), share: shares })
    .map(({ pixels, share }) => {
      const point = Float32Array.from(pixels, ([x]) => x);
      const normal = Float32Array.from(pixels, ([, w]) => w);
      return { point, normal, gap: share * reach(point, normal, share) };
    })
    .filter(({ gap }) => gap !== 0);
const feasible = casesOf(between(-1, 1));
const infeasible = casesOf(between(1.1, 2).chain((share) => fc.constantFrom(share, -share)));

/** The largest gap of that sign that the box can close, over all of its corners. */
function reach(point: Float32Array, normal: Float32Array, sign: number): number {
  const values = corners(point.length).map((corner) => dot(normal, corner) - dot(normal, point));
  return Math.max(...values.map((value) => -Math.sign(sign) * value), 0);
}

/** Bounds of the unit box. */
function corners(dimensions: number): readonly (readonly number[])[] {
  return Array.from({ length: 2 ** dimensions }, (_, bits) =>
    Array.from({ length: dimensions }, (_, i) => (bits >> i) & 1),
  );
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

describe.each<DenseNorm>(["linf", "l2"])("the shortest %s move onto a hyperplane in the box", (norm) => {
  test("closes the gap, stays in the box and leaves pixels without weight alone", () => {
    fc.assert(
      fc.property(feasible, ({ point, normal, gap }) => {
        const move = moveOnto(norm, point, { normal, gap });
        for (const [i, x] of point.entries()) {
          expect(x + move[i]!).toBeGreaterThanOrEqual(-slack);
          expect(x + move[i]!).toBeLessThanOrEqual(1 + slack);
          if (normal[i] === 0) expect(move[i]).toBe(0);
        }
        expect(Math.abs(dot(normal, move) + gap)).toBeLessThanOrEqual(6 * 3 * slack);
      }),
      { numRuns: 1000 },
    );
  });

  test("goes to the bounds where the box does not reach the hyperplane", () => {
    fc.assert(
      fc.property(infeasible, ({ point, normal, gap }) => {
        const move = moveOnto(norm, point, { normal, gap });
        for (const [i, w] of normal.entries()) {
          if (w !== 0) expect(point[i]! + move[i]!).toBeCloseTo(w > 0 === gap > 0 ? 0 : 1, 6);
        }
      }),
    );
  });

  test("an empty gap or a normal of zeros moves nothing", () => {
    const point = Float32Array.of(0, 0.3, 1);
    for (const hyperplane of [
      { normal: Float32Array.of(1, -2, 3), gap: 0 },
      { normal: new Float32Array(3), gap: 0.5 },
      { normal: new Float32Array(3), gap: 0 },
    ])
      expect([...moveOnto(norm, point, hyperplane)].every((x) => x === 0)).toBe(true);
  });

  test("as many pixels as an image has, with weights and room over many magnitudes", () => {
    const random = randomStream("hyperplane");
    const count = 3 * 224 * 224;
    const point = new Float32Array(count).map(() => 10 ** random.uniform(-7, 0));
    const normal = new Float32Array(count).map(() => Math.sign(random.uniform(-1, 1)) * 10 ** random.uniform(-12, 0));
    let room = 0;
    for (const [i, w] of normal.entries()) room += Math.abs(w) * (w > 0 ? point[i]! : 1 - point[i]!);
    for (const share of [1e-6, 0.01, 0.5, 0.99, 0.999999]) {
      const move = moveOnto(norm, point, { normal, gap: share * room });
      // Each product is off by 6e-8 of itself.
      expect(-dot(normal, move) / (share * room)).toBeCloseTo(1, 6);
    }
  });
});

test("l-inf: no corner of a smaller ball within the box reaches the hyperplane", () => {
  fc.assert(
    fc.property(feasible, ({ point, normal, gap }) => {
      // Far more than the 6e-8 of itself by which float32 rounds the solution.
      const radius = lengthIn("linf", moveOnto("linf", point, { normal, gap })) * (1 - 1e-4);
      for (const corner of corners(point.length)) {
        const move = corner.map((to, i) => Math.max(Math.min(to - point[i]!, radius), -radius));
        expect(-Math.sign(gap) * dot(normal, move)).toBeLessThan(Math.abs(gap));
      }
    }),
    { numRuns: 500 },
  );
});

test("l2: no corner of the hyperplane's part in the box lies on the near side of the solution", () => {
  // d is the shortest of a convex set just when <d, c - d> >= 0 for its corners c, which lie on the box's edges.
  let checked = 0;
  fc.assert(
    fc.property(feasible, ({ point, normal, gap }) => {
      const move = moveOnto("l2", point, { normal, gap });
      for (const corner of corners(point.length)) {
        for (const [i, w] of normal.entries()) {
          if (corner[i] === 1 || w === 0) continue;
          const to = corner.map((x, j) => x - point[j]!);
          const along = -(gap + dot(normal, to)) / w;
          if (along < 0 || along > 1) continue;
          to[i] = to[i]! + along;
          expect(dot(move, to) - dot(move, move)).toBeGreaterThanOrEqual(-6 * slack);
          checked++;
        }
      }
    }),
    { numRuns: 500 },
  );
  expect(checked).toBeGreaterThan(500);
});
