import fc from "fast-check";
import { expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { Graph } from "../graph/index.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { randomImages } from "../testing/tiny.ts";
import { randomStart } from "./ball.ts";
import { checkThreatModel, type DenseNorm, project, steepest } from "./threat.ts";

/** float32 has steps of 6e-8 near 1, and a projection adds and subtracts once: 1e-6 leaves room for a few roundings. */
const slack = 1e-6;

const norm = fc.constantFrom<DenseNorm>("linf", "l2");
const size = 4;
const length = 3 * size * size;

function distance(kind: DenseNorm, a: Float32Array, b: Float32Array): number {
  const differences = Array.from(a, (x, i) => Math.abs(x - b[i]!));
  return kind === "linf" ? Math.max(...differences) : Math.hypot(...differences);
}

test("a random start lies in the ball and in [0, 1], and differs from seed to seed", () => {
  fc.assert(
    fc.property(norm, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (kind, epsilon, seed) => {
      const clean = randomImages(1, { seed, size });
      const [out, other] = [new Float32Array(length), new Float32Array(length)];
      randomStart({ norm: kind, epsilon }, clean, randomStream(seed), out);
      randomStart({ norm: kind, epsilon }, clean, randomStream(seed + 1), other);
      expect(distance(kind, out, clean)).toBeLessThanOrEqual(epsilon + slack);
      expect(out.every((x) => x >= 0 && x <= 1)).toBe(true);
      if (epsilon > 1e-3) expect(out).not.toEqual(other);
    }),
  );
});

test("an l-inf start is uniform in the box; an l2 start fills the ball, not its shell only", () => {
  const clean = new Float32Array(length).fill(0.5);
  const out = new Float32Array(length);
  let [sum, squares, inner] = [0, 0, 0];
  const runs = 400;
  for (let seed = 0; seed < runs; seed++) {
    randomStart({ norm: "linf", epsilon: 0.3 }, clean, randomStream(seed), out);
    for (const x of out) sum += x - 0.5;
    for (const x of out) squares += (x - 0.5) ** 2;
    // The radius of a uniform point in n dimensions has P(r < 0.98 epsilon) = 0.98 ** n, here 0.38.
    randomStart({ norm: "l2", epsilon: 0.3 }, clean, randomStream(seed), out);
    if (distance("l2", out, clean) < 0.98 * 0.3) inner++;
  }
  const samples = runs * length;
  // Deviations of the mean: 0.3 / sqrt(3 samples) = 0.0013; of the second moment much less than a percent of itself.
  expect(Math.abs(sum / samples)).toBeLessThan(0.006);
  expect(squares / samples / (0.3 ** 2 / 3)).toBeCloseTo(1, 1);
  expect(inner / runs).toBeGreaterThan(0.38 - 0.1);
  expect(inner / runs).toBeLessThan(0.38 + 0.1);
});

test("projection brings any pixels into the ball and [0, 1], and leaves those inside where they are", async () => {
  for (const kind of ["linf", "l2"] as const) {
    const g = new Graph();
    const shape = [1, 3, size, size];
    const [x, clean] = [g.input("x", "float32", shape), g.input("clean", "float32", shape)];
    const epsilon = g.input("epsilon", "float32", []);
    const program = await compile({ projected: project(kind, x, clean, epsilon) }, { threads: 1 });
    const run = async (values: Float32Array, origin: Float32Array, radius: number) =>
      (await program.run({ x: values, clean: origin, epsilon: Float32Array.of(radius) })).projected as Float32Array;
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), async (radius, seed) => {
        const origin = randomImages(1, { seed, size });
        const projected = (
          await run(randomImages(1, { seed: seed + 1, size, low: -2, high: 3 }), origin, radius)
        ).slice();
        expect(distance(kind, projected, origin)).toBeLessThanOrEqual(radius + slack);
        expect(projected.every((value) => value >= 0 && value <= 1)).toBe(true);
        const again = await run(projected, origin, radius);
        expect(distance("linf", again, projected)).toBeLessThanOrEqual(slack);
      }),
      { numRuns: 30 },
    );
    await program.dispose();
  }
});

test("the steepest direction: signs for l-inf, a unit vector for l2, zero for no gradient", async () => {
  const g = new Graph();
  const x = g.input("x", "float32", [2, 3, 1, 1]);
  const program = await compile({ linf: steepest("linf", x), l2: steepest("l2", x) }, { threads: 1 });
  const { linf, l2 } = await program.run({ x: Float32Array.of(3e-5, -4e-5, 0, 0, 0, 0) });
  expect([...(linf as Float32Array)]).toEqual([1, -1, 0, 0, 0, 0]);
  for (const [i, wanted] of [0.6, -0.8, 0, 0, 0, 0].entries()) expect((l2 as Float32Array)[i]).toBeCloseTo(wanted, 5);
  await program.dispose();
});

test.each([
  { norm: "linf", epsilon: 2 },
  { norm: "linf", epsilon: -0.1 },
  { norm: "linf", epsilon: Number.NaN },
] as const)("%j is no threat model", (threat) => {
  expect(() => checkThreatModel(threat)).toThrow(UsageError);
  expect(() => checkThreatModel(threat)).toThrow(/2\/255/);
});

test("l2 balls may be larger than 1, unknown norms are refused", () => {
  expect(() => checkThreatModel({ norm: "l2", epsilon: 3 })).not.toThrow();
  expect(() => checkThreatModel({ norm: "l1", epsilon: 12 })).not.toThrow();
  for (const epsilon of [-1, Number.NaN, Infinity])
    expect(() => checkThreatModel({ norm: "l2", epsilon })).toThrow(/must be a number from 0/);
  expect(() => checkThreatModel({ norm: "l0" as "l2", epsilon: 0.1 })).toThrow(/l0.*linf, l2 or l1/);
});
