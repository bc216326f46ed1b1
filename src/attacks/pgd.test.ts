import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import type { Value } from "../graph/index.ts";
import { classify } from "../models/classifier.ts";
import { frozenWeights } from "../models/encoder.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import type { Program } from "../runtime/program.ts";
import { oneSize } from "../testing/one-size.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import { ascendBatch, ascentGraph, drawStarts } from "./ascent.ts";
import { innerAttack } from "./inner.ts";
import { type Pgd, type PgdOptions, pgd } from "./pgd.ts";
import { type Images, planOf } from "./plan.ts";
import { type AttackJob, type Feeds, runSearches } from "./scheduler.ts";
import { lossGraph, misclassification, type TargetBuilder } from "./target.ts";
import type { DenseNorm } from "./threat.ts";

/** Rounding of one addition and one subtraction in float32 near 1, several times over. */
const slack = 1e-6;
const size = 8;
const length = 3 * size * size;

const encoder = tinyEncoder();
const random = randomStream("labels");

const oneThread = { threads: 1 };
const spec = (batch: number) => ({ batch, imageSize: size, gradient: true });

const tiny = misclassification((pixels) =>
  classify(encoder.embed(pixels, frozenWeights(pixels.graph, encoder.parameters)), encoder.head!),
);
/** loss = sum of weight x, per image; success where it exceeds `goal`. */
const linear =
  (weight: Float32Array, goal = Infinity): TargetBuilder =>
  (pixels: Value) => {
    const g = pixels.graph;
    const w = g.constant({ dtype: "float32", shape: [1, 3, size, size], data: weight });
    const loss = g.reduceSum(g.mul(pixels, w), { axes: [1, 2, 3] });
    return { loss, success: g.greater(loss, goal) };
  };

/** Attacks on the tiny encoder's classification, at one batch size. */
const classifierProgram = (batch: number): Promise<Program> => compile(lossGraph(spec(batch), tiny), oneThread);
const linearProgram = (batch: number, weight: Float32Array, goal?: number): Promise<Program> =>
  compile(lossGraph(spec(batch), linear(weight, goal)), oneThread);
const ascentProgram = (batch: number, norm: DenseNorm, momentum: boolean, target: TargetBuilder): Promise<Program> =>
  compile(ascentGraph({ batch, imageSize: size, norm, momentum }, target), oneThread);

/** All steps of training's projected ascent. */
async function ascended(
  program: Program,
  attack: Pgd,
  clean: Float32Array,
  feeds: Feeds,
  keyOf: (i: number) => readonly (number | string)[],
  out: Float32Array,
): Promise<void> {
  const { norm, epsilon, steps, stepSize, momentum, start } = attack;
  const rows = (): Float32Array => new Float32Array(clean.length / length);
  const starts = { adversarial: out, epsilon: rows(), stepSize: rows() };
  drawStarts(innerAttack({ norm, epsilon, steps, stepSize, momentum, start }), clean, keyOf, starts);
  await ascendBatch(program, { norm, steps, momentum }, clean, { ...feeds, ...starts }, out);
}

type Work = AttackJob & Images;

const runPgd = (program: Program, attack: Pgd, work: Work) => runSearches(oneSize(program), planOf(attack, work), work);

function job(count: number, options: Partial<Work> & { readonly low?: number; readonly high?: number } = {}): Work {
  const { low = 0, high = 1, ...rest } = options;
  const clean = randomImages(count, { low, high });
  const labels = BigInt64Array.from({ length: count }, (_, i) => BigInt((5 * i) % 8));
  const keys = Array.from({ length: count }, (_, i) => 10 + i);
  return { clean, count, keys, rows: { labels }, seed: 3, ...rest };
}

const image = (pixels: Float32Array, i: number): Float32Array => pixels.subarray(i * length, (i + 1) * length);
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
function distance(norm: DenseNorm, a: Float32Array, b: Float32Array): number {
  const differences = Array.from(a, (x, i) => Math.abs(x - b[i]!));
  return norm === "linf" ? Math.max(...differences) : Math.hypot(...differences);
}
const accuracy = (success: readonly boolean[]): number => success.filter((broken) => !broken).length;

describe("threat model", () => {
  test.each(["linf", "l2"] as const)("no attack leaves the %s ball or [0, 1]", async (norm) => {
    const search = await classifierProgram(3);
    const programs = [await ascentProgram(3, norm, false, tiny), await ascentProgram(3, norm, true, tiny)] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          epsilon: fc.double({ min: 0, max: 1, noNaN: true }),
          steps: fc.integer({ min: 1, max: 5 }),
          stepSize: fc.double({ min: 0, max: 2, noNaN: true }),
          momentum: fc.constantFrom(0, 0.75, 1),
          start: fc.constantFrom<"zero" | "uniform">("zero", "uniform"),
          seed: fc.nat(),
        }),
        async ({ seed, ...options }) => {
          const attack = pgd({ norm, ...options });
          const program = programs[attack.momentum > 0 ? 1 : 0];
          const work = job(4, { clean: randomImages(4, { seed }), seed });
          const { adversarial } = await runPgd(search, attack, work);
          const out = new Float32Array(3 * length);
          const clean = work.clean.slice(0, out.length);
          const labels = (work.rows.labels as BigInt64Array).slice(0, 3);
          await ascended(program, attack, clean, { labels }, (i) => [seed, i], out);
          for (const [from, to, count] of [
            [work.clean, adversarial, 4],
            [clean, out, 3],
          ] as const) {
            for (let i = 0; i < count; i++) {
              expect(distance(norm, image(from, i), image(to, i))).toBeLessThanOrEqual(attack.epsilon + slack);
            }
            expect(to.every((x) => x >= 0 && x <= 1)).toBe(true);
          }
        },
      ),
      { numRuns: 25 },
    );
    for (const program of [search, ...programs]) await program.dispose();
  });
});

describe("a linear loss, whose worst case is known", () => {
  const weight = new Float32Array(length).map(() => random.normal());
  const dual = { linf: weight.reduce((sum, w) => sum + Math.abs(w), 0), l2: Math.hypot(...weight) };

  test.each([
    ["linf", "zero"],
    ["linf", "uniform"],
    ["l2", "zero"],
    ["l2", "uniform"],
  ] as const)("%s from a %s start reaches it", async (norm, start) => {
    const program = await linearProgram(2, weight);
    const epsilon = 0.1;
    // In l2 a random start's part across the gradient shrinks to 4/5 a step once on the sphere: 40 steps leave 1e-4.
    const attack = pgd({ norm, epsilon, start, steps: start === "zero" || norm === "linf" ? 10 : 40 });
    // Pixels stay within [0, 1] whatever happens, so clipping plays no part.
    const work = job(3, { low: 0.2, high: 0.8, rows: {} });
    const { loss, adversarial, success } = await runPgd(program, attack, work);
    for (let i = 0; i < 3; i++) {
      const worst = dot(image(work.clean, i), weight) + epsilon * dual[norm];
      expect(loss[i]).toBeCloseTo(worst, 4);
      expect(dot(image(adversarial, i), weight)).toBeCloseTo(worst, 4);
    }
    expect(success).toEqual([false, false, false]);
    await program.dispose();
  });

  test("linf with pixels at the edges: every pixel goes as far as ball and box allow", async () => {
    const program = await linearProgram(2, weight);
    const epsilon = 0.3;
    const work = job(2, { rows: {} });
    const { adversarial } = await runPgd(program, pgd({ epsilon }), work);
    adversarial.forEach((x, i) => {
      const wanted = Math.min(Math.max(work.clean[i]! + epsilon * Math.sign(weight[i % length]!), 0), 1);
      expect(x).toBeCloseTo(wanted, 6);
    });
    await program.dispose();
  });

  test("training's ascent ends where runPgd ends: the loss rises all the way", async () => {
    for (const norm of ["linf", "l2"] as const) {
      const program = await linearProgram(2, weight);
      const ascent = await ascentProgram(2, norm, false, linear(weight));
      const attack = pgd({ norm, epsilon: 0.1, steps: 6 });
      const work = job(2, { low: 0.2, high: 0.8, rows: {} });
      const { adversarial } = await runPgd(program, attack, work);
      const out = new Float32Array(2 * length);
      await ascended(ascent, attack, work.clean, {}, (i) => [work.seed, "pgd", work.keys[i]!, 0], out);
      // The graph rounds to float32 after every operation, the search once a step.
      for (const [i, x] of out.entries()) expect(x).toBeCloseTo(adversarial[i]!, 6);
      await program.dispose();
      await ascent.dispose();
    }
  });

  test("an image leaves as soon as it is broken, with the first image that broke it", async () => {
    const work = job(1, { low: 0.4, high: 0.6, rows: {} });
    const base = dot(work.clean, weight);
    const attack = pgd({ epsilon: 0.1, start: "zero" });
    const stepGain = attack.stepSize * dual.linf;
    const program = await linearProgram(1, weight, base + 1.5 * stepGain);
    const { success, loss } = await runPgd(program, attack, work);
    expect(success).toEqual([true]);
    expect(loss[0]).toBeCloseTo(base + 2 * stepGain, 3);
    await program.dispose();
  });
});

describe("what a result depends on", () => {
  const attack = pgd({ epsilon: 0.02, steps: 6, restarts: 3 });

  test("not on the neighbours, not on the batch size", async () => {
    const work = job(7);
    const [one, four, nine] = [await classifierProgram(1), await classifierProgram(4), await classifierProgram(9)];
    const together = await runPgd(four, attack, work);
    // Both kinds of images are there, or the comparison would say little.
    expect(new Set(together.success).size).toBe(2);
    for (const other of [await runPgd(one, attack, work), await runPgd(nine, attack, work)]) {
      expect(other.success).toEqual(together.success);
      // Kernels for other batch sizes may round otherwise, and a gradient near zero then takes another sign.
      for (const [i, x] of other.adversarial.entries()) expect(x).toBeCloseTo(together.adversarial[i]!, 4);
    }
    for (const i of [0, 3, 6]) {
      const labels = (work.rows.labels as BigInt64Array).slice(i, i + 1);
      const alone = { ...work, clean: image(work.clean, i), count: 1, keys: [work.keys[i]!], rows: { labels } };
      const result = await runPgd(four, attack, alone);
      expect(result.success[0]).toBe(together.success[i]);
      expect(result.adversarial).toEqual(image(together.adversarial, i));
    }
    for (const program of [one, four, nine]) await program.dispose();
  });

  test("two restarts in one batch: the earlier one counts, however late it succeeds", async () => {
    // With one place in the batch the restarts come one after the other; with many they run side by side.
    const weight = new Float32Array(length).map((_, i) => (i % 2 ? 1 : -1));
    const goal = 2;
    const alone = await linearProgram(1, weight, goal);
    const many = await linearProgram(8, weight, goal);
    const clean = new Float32Array(length).fill(0.5);
    for (let seed = 0; seed < 10; seed++) {
      const work = { ...job(1, { rows: {} }), clean, seed };
      const small = pgd({ epsilon: 0.1, stepSize: 0.003, steps: 8, restarts: 8 });
      const [first, second] = [await runPgd(alone, small, work), await runPgd(many, small, work)];
      expect(second).toEqual(first);
    }
    await alone.dispose();
    await many.dispose();
  });

  test("on the seed and the image's key", async () => {
    const program = await classifierProgram(4);
    const options = pgd({ norm: "l2", epsilon: 0.05, momentum: 0.75, steps: 3 });
    const work = job(4);
    const once = await runPgd(program, options, work);
    expect(await runPgd(program, options, work)).toEqual(once);
    expect((await runPgd(program, options, { ...work, seed: 4 })).adversarial).not.toEqual(once.adversarial);
    expect((await runPgd(program, options, { ...work, keys: [1, 2, 3, 4] })).adversarial).not.toEqual(once.adversarial);
    await program.dispose();
  });
});

describe("strength", () => {
  // Labels as the encoder gives them, so that every image is right before the attack.
  async function rightImages(count: number): Promise<Work> {
    const program = await classifierProgram(count);
    const work = job(count);
    const labels = new BigInt64Array(count).fill(-1n);
    for (let label = 0n; label < 8n; label++) {
      const rows = { labels: new BigInt64Array(count).fill(label) };
      const { success } = await runPgd(program, pgd({ epsilon: 0, steps: 1, start: "zero" }), { ...work, rows });
      for (const [i, wrong] of success.entries()) if (!wrong) labels[i] = label;
    }
    await program.dispose();
    return { ...work, rows: { labels } };
  }

  test("more steps and more restarts never raise accuracy, and both take images", async () => {
    const work = await rightImages(24);
    const program = await classifierProgram(8);
    const accuracyAfter = async (options: { readonly steps: number; readonly restarts?: number }) =>
      accuracy((await runPgd(program, pgd({ epsilon: 0.01, stepSize: 0.002, ...options }), work)).success);
    const bySteps = [
      await accuracyAfter({ steps: 1 }),
      await accuracyAfter({ steps: 3 }),
      await accuracyAfter({ steps: 10 }),
    ];
    expect(bySteps).toEqual([...bySteps].sort((a, b) => b - a));
    expect(bySteps[2]).toBeLessThan(bySteps[0]!);
    const byRestarts = [
      await accuracyAfter({ steps: 1 }),
      await accuracyAfter({ steps: 1, restarts: 3 }),
      await accuracyAfter({ steps: 1, restarts: 9 }),
    ];
    expect(byRestarts).toEqual([...byRestarts].sort((a, b) => b - a));
    expect(byRestarts[2]).toBeLessThan(byRestarts[0]!);
    await program.dispose();
  });

  test("restarts: what one of them finds, all of them find; the loss never falls", async () => {
    const work = await rightImages(12);
    const program = await classifierProgram(5);
    const single = await runPgd(program, pgd({ epsilon: 0.01, steps: 2 }), work);
    const several = await runPgd(program, pgd({ epsilon: 0.01, steps: 2, restarts: 4 }), work);
    single.success.forEach((broken, i) => {
      if (broken) {
        expect(several.success[i]).toBe(true);
        expect(image(several.adversarial, i)).toEqual(image(single.adversarial, i));
      } else if (!several.success[i]) expect(several.loss[i]).toBeGreaterThanOrEqual(single.loss[i]!);
    });
    await program.dispose();
  });

  test("success and loss are those of the images returned; every image is reported once, when it is finished", async () => {
    const work = await rightImages(6);
    const program = await classifierProgram(4);
    const done: number[] = [];
    const seen = new Map<number, { readonly pixels: Float32Array; readonly success: boolean }>();
    const outcome = await runPgd(program, pgd({ epsilon: 0.02, steps: 4, restarts: 2 }), {
      ...work,
      onDone: async (images, { adversarial, success }) => {
        done.push(...images);
        for (const i of images) seen.set(i, { pixels: image(adversarial, i).slice(), success: success[i]! });
      },
    });
    expect(done.sort()).toEqual([0, 1, 2, 3, 4, 5]);
    for (const [i, { pixels, success }] of seen) {
      expect(pixels).toEqual(image(outcome.adversarial, i));
      expect(success).toBe(outcome.success[i]);
    }
    // No step, no ball: the attack only looks at the images it is given.
    const look = await runPgd(program, pgd({ epsilon: 0, stepSize: 0, steps: 1, start: "zero" }), {
      ...work,
      clean: outcome.adversarial,
    });
    expect(look.success).toEqual(outcome.success);
    for (const [i, loss] of look.loss.entries()) expect(loss).toBeCloseTo(outcome.loss[i]!, 4);
    await program.dispose();
  });

  test("restarts differ in nothing but their start: the result is the best of single runs from these starts", async () => {
    const weight = new Float32Array(length).map(() => random.normal());
    const program = await linearProgram(3, weight);
    const attack = pgd({ epsilon: 0.1, stepSize: 0.005, steps: 3, restarts: 4 });
    const work = job(3, { low: 0.2, high: 0.8, rows: {} });
    const { adversarial } = await runPgd(program, attack, work);
    const ascent = await ascentProgram(3, "linf", false, linear(weight));
    const runs = [];
    for (let restart = 0; restart < 4; restart++) {
      const out = new Float32Array(3 * length);
      await ascended(ascent, attack, work.clean, {}, (i) => [work.seed, "pgd", work.keys[i]!, restart], out);
      runs.push(out);
    }
    for (let i = 0; i < 3; i++) {
      const best = runs.map((run) => image(run, i)).reduce((a, b) => (dot(b, weight) > dot(a, weight) ? b : a));
      for (const [j, x] of image(adversarial, i).entries()) expect(x).toBeCloseTo(best[j]!, 6);
    }
    await program.dispose();
    await ascent.dispose();
  });

  test("no images are no work", async () => {
    const program = await classifierProgram(2);
    const work = { ...job(1), clean: new Float32Array(0), count: 0, keys: [], rows: { labels: new BigInt64Array(0) } };
    expect(await runPgd(program, pgd({ epsilon: 0.1 }), work)).toMatchObject({
      adversarial: new Float32Array(0),
      success: [],
      loss: new Float32Array(0),
      run: [],
      iteration: [],
    });
    await program.dispose();
  });
});

test("defaults", () => {
  expect(pgd({ epsilon: 0.04 })).toEqual({
    kind: "pgd",
    loss: "ce",
    norm: "linf",
    epsilon: 0.04,
    steps: 20,
    stepSize: 0.01,
    start: "uniform",
    momentum: 0,
    restarts: 1,
  });
});

test.each<[PgdOptions, RegExp]>([
  [{ epsilon: 2 }, /Epsilon 2 .*2\/255/],
  [{ epsilon: -1 }, /Epsilon -1/],
  [{ epsilon: Number.NaN }, /Epsilon NaN/],
  [{ epsilon: 0.1, steps: 0 }, /steps.*0/],
  [{ epsilon: 0.1, steps: 1.5 }, /steps.*1\.5/],
  [{ epsilon: 0.1, restarts: 0 }, /restarts.*0/],
  [{ epsilon: 0.1, stepSize: -0.1 }, /stepSize.*-0\.1/],
  [{ epsilon: 0.1, stepSize: Number.POSITIVE_INFINITY }, /stepSize.*Infinity/],
  [{ epsilon: 0.1, momentum: Number.NaN }, /momentum.*NaN/],
])("%j is refused", (options, message) => {
  expect(() => pgd(options)).toThrow(UsageError);
  expect(() => pgd(options)).toThrow(message);
});
