import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../random.ts";
import { distance } from "./ball.ts";
import { quantized } from "./quantized.ts";
import type { Found, Search } from "./search.ts";
import type { Norm, ThreatModel } from "./threat.ts";

/** A search that looks at these points one after the other and returns the last. */
function* walk(points: readonly Float32Array[]): Search {
  let found: Found | undefined;
  for (const point of points) {
    const { loss, success } = yield { point, target: 3 };
    found = { point, loss, success };
  }
  return found!;
}

/** The points that the model is shown, and the end of the search. */
function shown(points: readonly Float32Array[], threat: ThreatModel | undefined, clean: Float32Array) {
  const search = quantized(walk(points), threat, clean);
  const seen: Float32Array[] = [];
  let next = search.next();
  while (!next.done) {
    expect(next.value.target).toBe(3);
    seen.push(next.value.point.slice());
    next = search.next({ loss: seen.length, gradient: new Float32Array(0), success: false });
  }
  return { seen, found: next.value };
}

const round = (point: Float32Array, threat: ThreatModel | undefined, clean: Float32Array): Float32Array =>
  shown([point], threat, clean).found.point;

const isLevel = (x: number): boolean => Math.fround(Math.round(x * 255) / 255) === x;
const levels = (...values: readonly number[]): Float32Array => Float32Array.from(values, (level) => level / 255);

/** An image and a point of its ball; on the 256 levels, as a file's pixels are, or between them. */
const cases = fc
  .record({
    norm: fc.constantFrom<Norm>("linf", "l2", "l1"),
    seed: fc.nat(),
    size: fc.double({ min: 0.01, max: 1, noNaN: true }),
    onLevels: fc.boolean(),
  })
  .map(({ norm, seed, size, onLevels }) => {
    const random = randomStream("quantized", seed);
    const clean = new Float32Array(48).map(() => {
      const x = random.uniform();
      return onLevels ? Math.round(x * 255) / 255 : x;
    });
    const epsilon = { linf: 0.05, l2: 0.2, l1: 1 }[norm] * size;
    const wild = clean.map((x) => Math.min(Math.max(x + random.uniform(-epsilon, epsilon), 0), 1));
    const shrink = Math.min(1, epsilon / distance(norm, wild, clean));
    const point = wild.map((x, i) => clean[i]! + shrink * (x - clean[i]!));
    return { threat: { norm, epsilon }, clean, point, onLevels };
  });

describe("every point is one of an image file", () => {
  test("and stays in the ball and in [0, 1]", () => {
    fc.assert(
      fc.property(cases, ({ threat, clean, point }) => {
        const result = round(point, threat, clean);
        // The 1e-6 that rounding float32 may cost a pixel: l-inf has one, l1 adds up 48.
        expect(distance(threat.norm, result, clean)).toBeLessThanOrEqual(threat.epsilon + 48e-6);
        expect(result.every((x) => x >= 0 && x <= 1)).toBe(true);
        // Between levels only what was not moved.
        expect(result.every((x, i) => isLevel(x) || x === clean[i])).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("and on a level wherever the clean image is", () => {
    fc.assert(
      fc.property(cases, ({ threat, clean, point, onLevels }) => {
        fc.pre(onLevels);
        const result = round(point, threat, clean);
        expect(result.every(isLevel)).toBe(true);
        // Nothing is farther from where it was than one level.
        result.forEach((x, i) => {
          expect(Math.abs(x - point[i]!)).toBeLessThan(1.001 / 255);
        });
      }),
      { numRuns: 100 },
    );
  });

  test("what is shown and what is returned are the same, answers reach the search", () => {
    const clean = levels(100, 100);
    const points = [levels(101.4, 98.7), levels(98.6, 101.2)];
    const { seen, found } = shown(points, { norm: "linf", epsilon: 2 / 255 }, clean);
    expect(seen).toEqual([levels(101, 99), levels(99, 101)]);
    expect(found).toEqual({ point: levels(99, 101), loss: 2, success: false });
  });
});

describe("by hand", () => {
  test("l-inf: the nearest level, or the one before it where that is outside", () => {
    const threat = { norm: "linf", epsilon: 1.6 / 255 } as const;
    // 101.6 rounds to 102, two levels away; 98.4 to 98.
    expect(round(levels(101.6, 98.4, 101.4, 100.4), threat, levels(100, 100, 100, 100))).toEqual(
      levels(101, 99, 101, 100),
    );
    // 100.6 has 100 beside it, 0.3 levels from the clean pixel.
    expect(round(levels(100.6), { norm: "linf", epsilon: 0.35 / 255 }, levels(100.3))).toEqual(levels(100));
    // No level within 0.1 of 100.3.
    expect(round(levels(100.4), { norm: "linf", epsilon: 0.1 / 255 }, levels(100.3))).toEqual(levels(100.3));
  });

  test("l2: the nearest level where the ball has room, else only what was almost there goes outwards", () => {
    const clean = levels(100, 100, 100, 100);
    const point = levels(101.9, 98.4, 100.6, 100);
    const outward = Math.hypot(2, 2, 1) / 255;
    const before = distance("l2", point, clean);
    expect(round(point, { norm: "l2", epsilon: outward + 1e-6 }, clean)).toEqual(levels(102, 98, 101, 100));
    // Room for 2.49 levels: (2, 1, 1) is 2.45, (2, 2, 0) would be 2.83.
    expect(before).toBeCloseTo(Math.hypot(1.9, 1.6, 0.6) / 255, 6);
    expect(round(point, { norm: "l2", epsilon: before }, clean)).toEqual(levels(102, 99, 100, 100));
  });

  test("noise, which has no ball: the nearest level", () => {
    expect(round(levels(100.4, 100.6, 254.9), undefined, levels(0, 0, 0))).toEqual(levels(100, 101, 255));
  });
});
