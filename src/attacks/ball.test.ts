import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { randomImages } from "../testing/tiny.ts";
import { ascend, distance, lengthIn, projectPoint, randomStart, surfaceStart } from "./ball.ts";
import { type DenseNorm, type Norm, project } from "./threat.ts";

const size = 4;
const length = 3 * size * size;
/** 48 pixels, each rounded to float32 by 3e-8 below 1: what their l1 distance may be off by at most. */
const slack = length * 2 ** -25;

const norms = ["linf", "l2", "l1"] as const;
const denseNorms = ["linf", "l2"] as const;
/** Any radius between 0 and the whole of [0, 1] moved by 1. */
const epsilonOf = (norm: Norm, share: number): number => share * { linf: 1, l2: Math.sqrt(length), l1: length }[norm];
const share = fc.double({ min: 0, max: 1, noNaN: true });

function noisy(clean: Float32Array, scale: number, seed: number): Float32Array {
  const random = randomStream("noisy", seed);
  return clean.map((x) => x + scale * random.normal());
}

test("distances and lengths by hand", () => {
  const [a, b] = [Float32Array.of(0.5, -1, 2), Float32Array.of(0.5, 2, -2)];
  expect(norms.map((norm) => distance(norm, a, b))).toEqual([4, 5, 7]);
  expect(norms.map((norm) => lengthIn(norm, Float32Array.of(3, 0, -4)))).toEqual([4, 5, 7]);
});

describe("projectPoint", () => {
  test.each(norms)("%s: into the ball and [0, 1], once and for all; what is inside stays", (norm) => {
    fc.assert(
      fc.property(share, fc.constantFrom(0.01, 0.3, 3), fc.nat(), (part, scale, seed) => {
        const clean = randomImages(1, { seed, size });
        const epsilon = epsilonOf(norm, part);
        const point = noisy(clean, scale, seed);
        projectPoint({ norm, epsilon }, point, clean);
        expect(distance(norm, point, clean)).toBeLessThanOrEqual(epsilon + slack);
        expect(point.every((x) => x >= 0 && x <= 1)).toBe(true);
        const again = point.slice();
        projectPoint({ norm, epsilon: epsilon + 2 * slack }, again, clean);
        // For l2 the shrinking by 1 is computed, and may round.
        for (const [i, x] of again.entries()) expect(Math.abs(x - point[i]!)).toBeLessThanOrEqual(2 ** -24);
      }),
    );
  });

  test.each(denseNorms)("%s: as training's graph projects", async (norm: DenseNorm) => {
    const g = new Graph();
    const shape = [1, 3, size, size];
    const [x, clean] = [g.input("x", "float32", shape), g.input("clean", "float32", shape)];
    const epsilon = g.input("epsilon", "float32", []);
    const program = await compile({ y: project(norm, x, clean, epsilon) }, { threads: 1 });
    for (const [seed, part] of [0.001, 0.05, 0.2, 0.9].entries()) {
      const feeds = { clean: randomImages(1, { seed, size }), epsilon: Float32Array.of(epsilonOf(norm, part)) };
      const point = noisy(feeds.clean, 0.5, seed);
      const { y } = await program.run({ ...feeds, x: point });
      projectPoint({ norm, epsilon: feeds.epsilon[0]! }, point, feeds.clean);
      // The graph rounds to float32 after every operation.
      for (const [i, wanted] of (y as Float32Array).entries()) expect(Math.abs(point[i]! - wanted)).toBeLessThan(1e-6);
    }
    await program.dispose();
  });

  test("l1: sparser than the noise, unlike l2", () => {
    const clean = randomImages(1, { size, low: 0.4, high: 0.6 });
    const moved = (norm: Norm): number => {
      const point = noisy(clean, 0.5, 0);
      projectPoint({ norm, epsilon: 0.3 }, point, clean);
      return point.filter((x, i) => x !== clean[i]).length;
    };
    expect(moved("l2")).toBe(length);
    expect(moved("l1")).toBeLessThan(length / 4);
  });
});

test("ascend: the sign for l-inf, the unit vector for l2; nowhere along a gradient of zeros", () => {
  const point = Float32Array.of(0.5, 0.5, 0.5);
  const out = new Float32Array(3);
  ascend("linf", point, Float32Array.of(3, 0, -1e-30), 0.25, out);
  expect(out).toEqual(Float32Array.of(0.75, 0.5, 0.25));
  ascend("l2", point, Float32Array.of(3, 0, -4), 0.5, out);
  for (const [i, wanted] of [0.8, 0.5, 0.1].entries()) expect(out[i]).toBeCloseTo(wanted, 6);
  for (const norm of denseNorms) {
    ascend(norm, point, new Float32Array(3), 0.5, out);
    expect(out).toEqual(point);
  }
});

describe("starts", () => {
  test("l1: a random start fills the ball; it lies in [0, 1] and depends on the seed", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 0.15, noNaN: true }), fc.nat(), (part, seed) => {
        const clean = randomImages(1, { seed, size });
        const epsilon = epsilonOf("l1", part);
        const [out, other] = [new Float32Array(length), new Float32Array(length)];
        randomStart({ norm: "l1", epsilon }, clean, randomStream(seed), out);
        randomStart({ norm: "l1", epsilon }, clean, randomStream(seed + 1), other);
        // Clipped noise of deviation 1 moves a pixel by 0.3 on average; a start this large moves ten pixels and more.
        expect(Math.abs(distance("l1", out, clean) - epsilon)).toBeLessThanOrEqual(slack);
        expect(out.every((x) => x >= 0 && x <= 1)).toBe(true);
        expect(out).not.toEqual(other);
      }),
    );
  });

  test.each(denseNorms)("%s: a surface start is epsilon away before the edges of [0, 1] clip it", (norm) => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1, noNaN: true }), fc.nat(), (part, seed) => {
        const middle = randomImages(1, { seed, size, low: 0.5, high: 0.5 });
        const epsilon = norm === "linf" ? part / 2 : part;
        const near = surfaceStart({ norm, epsilon: epsilon / 2 }, middle, randomStream(seed));
        expect(distance(norm, near, middle)).toBeCloseTo(epsilon / 2, 6);
        const clean = randomImages(1, { seed, size });
        const out = surfaceStart({ norm, epsilon }, clean, randomStream(seed));
        expect(distance(norm, out, clean)).toBeLessThanOrEqual(epsilon + slack);
        expect(out.every((x) => x >= 0 && x <= 1)).toBe(true);
        expect(surfaceStart({ norm, epsilon }, clean, randomStream(seed + 1))).not.toEqual(out);
      }),
    );
  });

  test("an l-inf surface start is uniform below its largest pixel, an l2 one normal", () => {
    const clean = new Float32Array(3 * 64 * 64).fill(0.5);
    // Kurtosis of 12,288 numbers: 1.8 for a uniform distribution, 3 for a normal one; its deviation is below 0.05.
    const kurtosis = (norm: DenseNorm): number => {
      const moves = surfaceStart({ norm, epsilon: 0.3 }, clean, randomStream("start")).map((x) => x - 0.5);
      const moment = (power: number): number => moves.reduce((sum, x) => sum + x ** power, 0) / moves.length;
      return moment(4) / moment(2) ** 2;
    };
    expect(Math.abs(kurtosis("linf") - 1.8)).toBeLessThan(0.15);
    expect(Math.abs(kurtosis("l2") - 3)).toBeLessThan(0.15);
  });
});
