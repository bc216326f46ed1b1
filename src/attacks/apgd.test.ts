import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { classify } from "../models/classifier.ts";
import { frozenWeights } from "../models/encoder.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import type { Program } from "../runtime/program.ts";
import { oneSize } from "../testing/one-size.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import { type ApgdOptions, apgd, apgdAttack } from "./apgd.ts";
import { distance, lengthIn } from "./ball.ts";
import type { AttackOutcome } from "./outcome.ts";
import { type Images, planOf } from "./plan.ts";
import { runSearches } from "./scheduler.ts";
import type { Answer, Found, Origin, Query, Search } from "./search.ts";
import { type ClassLoss, lossGraph, misclassification } from "./target.ts";
import type { DenseNorm, Norm } from "./threat.ts";

const size = 8;
const length = 3 * size * size;
const norms = ["linf", "l2", "l1"] as const;
/** 192 pixels, each rounded to float32 by 3e-8 below 1: what their l1 distance may be off by at most. */
const slack = length * 2 ** -25;

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

function begin(options: ApgdOptions, origin: Origin): Search {
  return apgdAttack.search(apgd(options), origin, { others: [], rank: 0, restart: 0 });
}

/** Carries a search out with answers of one's own, in one gradient array as the driver has it, and copies the questions. */
function play(
  search: Search,
  answer: (query: Query, asked: number) => Omit<Answer, "success"> & { readonly success?: boolean },
): { readonly found: Found; readonly asked: readonly Float32Array[] } {
  const asked: Float32Array[] = [];
  let gradient = new Float32Array(0);
  let next = search.next();
  while (!next.done) {
    const { point } = next.value;
    asked.push(point.slice());
    const { gradient: slope, ...rest } = answer(next.value, asked.length - 1);
    if (gradient.length === 0) gradient = new Float32Array(slope.length);
    gradient.set(slope);
    next = search.next({ success: false, ...rest, gradient });
  }
  return { found: next.value, asked };
}

const indices = (values: readonly boolean[]): number[] => [...values.keys()].filter((i) => values[i]);

const normalWeights = (count: number, seed: number): Float32Array => {
  const random = randomStream("weights", seed);
  return new Float32Array(count).map(() => random.normal());
};

describe("threat model", () => {
  test.each(norms)("%s: whatever the answers, no point leaves the ball or [0, 1]", (norm) => {
    fc.assert(
      fc.property(
        fc.record({
          share: fc.double({ min: 0, max: 1, noNaN: true }),
          steps: fc.integer({ min: 1, max: 40 }),
          zeros: fc.constantFrom(0, 0.5, 1),
          seed: fc.nat(),
        }),
        ({ share, steps, zeros, seed }) => {
          const epsilon = share * { linf: 1, l2: Math.sqrt(length), l1: length / 3 }[norm];
          const clean = randomImages(1, { seed });
          const random = randomStream("answers", seed);
          const losses: number[] = [];
          const { asked, found } = play(begin({ norm, epsilon, steps }, { clean, random: randomStream(seed) }), () => {
            losses.push(random.normal());
            return {
              loss: losses.at(-1)!,
              gradient: clean.map(() => (random.uniform() < zeros ? 0 : random.normal())),
            };
          });
          const radii = norm === "l1" ? radiiOf(steps) : new Array<number>(steps + 1).fill(1);
          expect(asked).toHaveLength(radii.length);
          for (const [i, point] of asked.entries()) {
            expect(distance(norm, point, clean)).toBeLessThanOrEqual(radii[i]! * epsilon + slack);
            expect(point.every((x) => x >= 0 && x <= 1)).toBe(true);
          }
          const within = losses.map((loss, i) => (radii[i] === 1 ? loss : Number.NEGATIVE_INFINITY));
          const best = Math.max(...within);
          expect(found).toEqual({ point: asked[within.indexOf(best)], loss: best, success: false });
        },
      ),
      { numRuns: 40 },
    );
  });

  /**
   * The radius at each of l1's questions, in units of epsilon: 3, 2 and 1 for .3, .3 and .4 of the steps, and one more for
   * each ball's first point.
   */
  function radiiOf(steps: number): readonly number[] {
    const first = Math.ceil(0.3 * steps);
    const second = Math.min(first, steps - first);
    return [
      ...new Array<number>(first + 1).fill(3),
      ...new Array<number>(second + 1).fill(2),
      ...new Array<number>(steps - first - second + 1).fill(1),
    ];
  }

  test.each(norms)("%s: the first success ends the search, but not in l1's larger balls", (norm) => {
    const clean = randomImages(1);
    const gradient = normalWeights(length, 0);
    const origin = { clean, random: randomStream("success") };
    const search = (from: number) =>
      play(begin({ norm, epsilon: 0.1 }, origin), (_, i) => ({ loss: 100 - i, gradient, success: i >= from }));
    const [none, first, later] = [search(1000), search(0), search(80)];
    expect(none.found.success).toBe(false);
    // 30 steps and a first point in each of the larger balls.
    expect(first.asked).toHaveLength(norm === "l1" ? 63 : 1);
    expect(later.asked).toHaveLength(81);
    for (const { found, asked } of [first, later]) {
      expect(found).toEqual({ point: asked.at(-1), loss: 101 - asked.length, success: true });
      expect(distance(norm, found.point, clean)).toBeLessThanOrEqual(0.1 + slack);
    }
  });
});

describe("a linear loss, whose worst case is known", () => {
  const weight = normalWeights(length, 1);
  const dual: Readonly<Record<DenseNorm, number>> = { linf: lengthIn("l1", weight), l2: lengthIn("l2", weight) };
  const climb = (options: ApgdOptions, clean: Float32Array): Found =>
    play(begin(options, { clean, random: randomStream("linear") }), ({ point }) => ({
      loss: dot(point, weight) - dot(clean, weight),
      gradient: weight,
    })).found;

  test.each(["linf", "l2"] as const)("%s reaches it", (norm) => {
    for (const epsilon of [0.01, 0.1]) {
      const clean = randomImages(1, { low: 0.2, high: 0.8 });
      const { loss } = climb({ norm, epsilon }, clean);
      // 192 pixels rounded by 3e-8, times weights of about 1.
      expect(Math.abs(loss - epsilon * dual[norm])).toBeLessThan(1e-5);
    }
  });

  test("linf with pixels at the edges: every pixel goes as far as ball and box allow", () => {
    const clean = randomImages(1);
    const { point } = climb({ epsilon: 0.3 }, clean);
    const corner = clean.map((x, i) => Math.min(Math.max(x + 0.3 * Math.sign(weight[i]!), 0), 1));
    for (const [i, x] of point.entries()) expect(x).toBeCloseTo(corner[i]!, 6);
  });

  test.each([0.05, 1, 5, 20])("l1 of %f: the steepest pixels, each as far as its edge", (epsilon) => {
    const clean = randomImages(1);
    const order = [...weight.keys()].sort((a, b) => Math.abs(weight[b]!) - Math.abs(weight[a]!));
    let [left, worst] = [epsilon, 0];
    for (const i of order) {
      const spent = Math.min(weight[i]! > 0 ? 1 - clean[i]! : clean[i]!, left);
      left -= spent;
      worst += spent * Math.abs(weight[i]!);
    }
    const { loss } = climb({ norm: "l1", epsilon }, clean);
    // Its steps are equal for all pixels they move; where the worst case is on one pixel (0.05), some stays on others.
    expect(loss / worst).toBeGreaterThan(0.98);
    expect(loss).toBeLessThanOrEqual(worst + 1e-5);
  });
});

describe("step size", () => {
  /**
   * One pixel that starts in the middle of [0, 1] with gradient 1, and then sees gradients of 0: its momentum carries it
   * up, unless a check takes it back to the start and its gradient. The start has the largest loss of all.
   */
  function checks(lossAt: (iteration: number) => number, steps = 100) {
    const clean = Float32Array.of(0.5);
    const origin = { clean, random: randomStream("unused"), start: clean };
    const { asked } = play(begin({ epsilon: 0.5, steps }, origin), (_, iteration) => ({
      loss: iteration === 0 ? 1e6 : lossAt(iteration),
      gradient: Float32Array.of(iteration === 0 ? 1 : 0),
    }));
    const at = asked.map(([x]) => x!);
    const after = indices(at.map((x, i) => i > 1 && x < at[i - 1]!)).map((i) => i - 1);
    // x = start + 3/4 step + 1/4 (start - the point before the one left), and no edge is near.
    const sizes = after.map((i) => (at[i + 1]! - 0.5 - (0.5 - at[i - 1]!) / 4) / 0.75);
    return { after: after as readonly number[], sizes };
  }

  const never = (): number => -1;

  test("is looked at after 22, 41, 57, 70, 80, 87, 93 and 99 of 100 steps, and halved where the loss does not rise", () => {
    const { after, sizes } = checks(never);
    expect(after).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
    for (const [i, size] of sizes.entries()) expect(size).toBeCloseTo(2 ** -(i + 1), 6);
  });

  // Periods of 22 %, shorter by 3 % each time down to 6 %, all rounded down to at least 1.
  test.each([
    [10, [2, 3, 4, 5, 6, 7, 8, 9]],
    [40, [8, 15, 21, 26, 30, 33, 35, 37, 39]],
    [50, [11, 21, 30, 38, 45]],
  ])("of %i steps: after %j", (steps, wanted) => {
    const { after } = checks(never, steps);
    expect(after).toEqual(wanted);
  });

  /** Losses that rise `count` times among the 22 steps up to the first check, and at every step after it. */
  const rising = (count: number, offset: number) => (iteration: number) =>
    offset + (iteration <= 22 ? Math.min(iteration, count) : iteration);

  test("stays at the first check where the loss rose at more than 75 % of the steps: 17 of 22, not 16", () => {
    expect(checks(rising(17, 0)).after).not.toContain(22);
    expect(checks(rising(16, 0)).after).toContain(22);
  });

  test("is halved at the third check where the loss rose at exactly 75 % of the steps: 12 of 16, not 13", () => {
    const risingLate = (count: number) => (iteration: number) => Math.min(Math.max(iteration - 41, 0), count);
    expect(checks(risingLate(12)).after.slice(0, 3)).toEqual([22, 41, 57]);
    expect(checks(risingLate(13)).after.slice(0, 2)).toEqual([22, 41]);
    expect(checks(risingLate(13)).after).not.toContain(57);
  });

  test("counts the first step as a rise where its loss is positive, as the reference does", () => {
    expect(checks(rising(17, -1000)).after).toContain(22);
    expect(checks(rising(18, -1000)).after).not.toContain(22);
  });

  test("is halved, though the loss rises, where neither it nor the best loss changed since the last check", () => {
    expect(checks((iteration) => iteration).after).toEqual([41, 70, 87, 99]);
  });
});

test("targeted DLR aims at the others in order, all restarts of one before the next", () => {
  const images: Images = {
    clean: randomImages(1),
    count: 1,
    keys: [0],
    seed: 0,
    others: () => [3, 1, 0],
    classes: 4,
  };
  const aimsOf = (options: Partial<ApgdOptions>): readonly unknown[] => {
    const { runs, begin: start } = planOf(apgd({ epsilon: 0.1, restarts: 2, ...options }), images);
    return Array.from({ length: runs }, (_, run) => start(0, run).next().value).map((query) => (query as Query).target);
  };
  for (const norm of norms) {
    expect(aimsOf({ norm, loss: "targeted-dlr", targets: 2 })).toEqual([3, 3, 1, 1]);
    // No more targets than there are other classes.
    expect(aimsOf({ norm, loss: "targeted-dlr" })).toEqual([3, 3, 1, 1, 0, 0]);
    expect(aimsOf({ norm, loss: "dlr" })).toEqual([undefined, undefined]);
  }
});

test.each(norms)("%s: a result depends on seed and image, not on the batch or the neighbours", async (norm) => {
  // Every image on its own, to the bit: kernels of a matrix product may round by an image's place in the batch.
  const weight = normalWeights(length, 2);
  const clean = randomImages(7, { low: 0.3, high: 0.7 });
  // Near the middle of what the images reach.
  const goal = { linf: 21.35, l2: 23.45, l1: 28.2 }[norm];
  const compiled = await Promise.all(
    [1, 4, 9].map((batch) =>
      compile(
        lossGraph({ batch, imageSize: size, gradient: true }, (pixels) => {
          const { graph: g } = pixels;
          const w = g.constant({ dtype: "float32", shape: [1, 3, size, size], data: weight });
          const bent = g.tanh(g.mul(g.sub(g.mul(pixels, 2), 1), w));
          const height = g.reduceSum(g.mul(bent, bent), { axes: [1, 2, 3] });
          // What is aimed at decides which way is up.
          const sign = g.cast(g.input("target", "int64", [batch]), "float32");
          return { loss: g.mul(height, sign), success: g.greater(height, goal) };
        }),
        { threads: 1 },
      ),
    ),
  );
  const epsilon = { linf: 0.1, l2: 1, l1: 10 }[norm];
  const attack = apgd({ norm, epsilon, loss: "targeted-dlr", targets: 1, steps: 20, restarts: 2 });
  const run = (program: Program, { of = [0, 1, 2, 3, 4, 5, 6], seed = 3 } = {}): Promise<AttackOutcome> => {
    const pixels = new Float32Array(of.flatMap((i) => [...clean.subarray(i * length, (i + 1) * length)]));
    const others = (image: number): readonly number[] => (of[image] === 2 ? [-1] : [1]);
    const images = { clean: pixels, count: of.length, keys: of, seed, others };
    return runSearches(oneSize(program), planOf(attack, images), { ...images, rows: {} });
  };
  const [one, four, nine] = compiled as [Program, Program, Program];
  const together = await run(four);
  // Or the comparison would say little.
  expect(new Set(together.success.toSpliced(2, 1)).size).toBe(2);
  expect(await run(one)).toEqual(together);
  expect(await run(nine)).toEqual(together);
  for (const i of [0, 3, 6]) {
    const alone = await run(four, { of: [i] });
    expect(alone.adversarial).toEqual(together.adversarial.subarray(i * length, (i + 1) * length));
    expect([alone.success[0], alone.run[0], alone.iteration[0]]).toEqual([
      together.success[i],
      together.run[i],
      together.iteration[i],
    ]);
  }
  expect((await run(four, { seed: 4 })).adversarial).not.toEqual(together.adversarial);
  for (const program of compiled) await program.dispose();
});

describe("on an encoder", () => {
  const encoder = tinyEncoder({ depth: 2 });
  const [count, classes] = [16, 8];
  const clean = randomImages(count);
  const programs = new Map<ClassLoss, Program>();
  /** Each image's classes, the likeliest first. */
  let rankings: readonly (readonly number[])[];

  beforeAll(async () => {
    for (const loss of ["ce", "dlr", "targeted-dlr"] as const) {
      const target = misclassification(
        (pixels) => classify(encoder.embed(pixels, frozenWeights(pixels.graph, encoder.parameters)), encoder.head!),
        loss,
      );
      const graph = lossGraph({ batch: count, imageSize: size, gradient: true }, target);
      programs.set(loss, await compile(graph, { threads: 1 }));
    }
    const costs: Float32Array[] = [];
    for (let label = 0; label < classes; label++) {
      const labels = new BigInt64Array(count).fill(BigInt(label));
      const { loss } = await programs.get("ce")!.run({ pixels: clean, labels });
      costs.push((loss as Float32Array).slice());
    }
    rankings = Array.from({ length: count }, (_, i) => [...costs.keys()].sort((a, b) => costs[a]![i]! - costs[b]![i]!));
  });

  afterAll(async () => {
    for (const program of programs.values()) await program.dispose();
  });

  /** Attacks the images, all of which are right. */
  function attack(options: ApgdOptions): Promise<AttackOutcome> {
    const settings = apgd(options);
    const program = programs.get(settings.loss as ClassLoss)!;
    const others = (image: number): readonly number[] => rankings[image]!.slice(1);
    const images = { clean, count, keys: [...rankings.keys()], seed: 3, others, classes };
    const rows = { labels: BigInt64Array.from(rankings, ([label]) => BigInt(label!)) };
    return runSearches(oneSize(program), planOf(settings, images), { clean, count, rows });
  }

  const broken = ({ success }: AttackOutcome): readonly number[] => indices(success);
  /** Radii at which some images break and others hold. */
  const epsilon: Readonly<Record<Norm, number>> = { linf: 0.006, l2: 0.06, l1: 0.4 };

  test.each(norms)("%s: more steps break no fewer images", async (norm) => {
    const counts: number[] = [];
    for (const steps of [1, 3, 50]) counts.push(broken(await attack({ norm, epsilon: epsilon[norm], steps })).length);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts[2]).toBeGreaterThan(counts[0]!);
    expect(counts[2]).toBeLessThan(count);
  });

  test.each(norms)("%s: restarts and targets keep what fewer of them broke, and no loss falls", async (norm) => {
    const base = { norm, epsilon: epsilon[norm] };
    let [brokenByFew, brokenByMany] = [0, 0];
    const targeted = { ...base, steps: 2, loss: "targeted-dlr" } as const;
    const pairs: readonly (readonly [ApgdOptions, ApgdOptions])[] = [
      [
        { ...base, steps: 1 },
        { ...base, steps: 1, restarts: 4 },
      ],
      [
        { ...base, steps: 3, loss: "dlr" },
        { ...base, steps: 3, loss: "dlr", restarts: 4 },
      ],
      [
        { ...targeted, targets: 1 },
        { ...targeted, targets: 7 },
      ],
    ];
    for (const [few, many] of pairs) {
      const [one, other] = [await attack(few), await attack(many)];
      for (const i of one.success.keys()) {
        if (one.success[i]) expect([other.success[i], other.run[i]]).toEqual([true, one.run[i]]);
        else if (!other.success[i]) expect(other.loss[i]).toBeGreaterThanOrEqual(one.loss[i]!);
      }
      brokenByFew += broken(one).length;
      brokenByMany += broken(other).length;
    }
    // Or the comparison would say little.
    expect(brokenByMany).toBeGreaterThan(brokenByFew);
  });

  test.each(norms)("%s: a larger ball breaks no fewer images, and in the end all", async (norm) => {
    const counts: number[] = [];
    for (const scale of [0, 0.5, 1, 20]) {
      counts.push(broken(await attack({ norm, epsilon: scale * epsilon[norm], steps: 20 })).length);
    }
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect([counts[0], counts[3]]).toEqual([0, count]);
  });
});

test("defaults", () => {
  expect(apgd({ epsilon: 0.04 })).toEqual({
    kind: "apgd",
    norm: "linf",
    loss: "ce",
    epsilon: 0.04,
    steps: 100,
    restarts: 1,
    eot: 1,
  });
  expect(apgd({ epsilon: 0.04, loss: "targeted-dlr" })).toMatchObject({ loss: "targeted-dlr", targets: 9 });
});

test.each<[ApgdOptions, RegExp]>([
  [{ epsilon: 2 }, /Epsilon 2 .*2\/255/],
  [{ norm: "l1", epsilon: -1 }, /Epsilon -1/],
  [{ epsilon: 0.1, steps: 0 }, /steps.*0/],
  [{ epsilon: 0.1, restarts: 1.5 }, /restarts.*1\.5/],
  [{ epsilon: 0.1, loss: "targeted-dlr", targets: 0 }, /targets.*0/],
  [{ epsilon: 0.1, restarts: Number.NaN }, /restarts.*NaN/],
  [{ epsilon: 0.1, eot: -1 }, /eot.*-1/],
])("%o is refused", (options, message) => {
  expect(() => apgd(options)).toThrow(UsageError);
  expect(() => apgd(options)).toThrow(message);
});
