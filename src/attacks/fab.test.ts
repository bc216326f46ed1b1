import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { Graph } from "../graph/index.ts";
import { classify } from "../models/classifier.ts";
import { frozenWeights } from "../models/encoder.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import type { Program } from "../runtime/program.ts";
import { oneSize } from "../testing/one-size.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import { distance, lengthIn } from "./ball.ts";
import { type Fab, type FabOptions, fab } from "./fab.ts";
import { fabSearch } from "./fab-search.ts";
import { type Images, planOf } from "./plan.ts";
import { type AttackJob, runSearches } from "./scheduler.ts";
import type { Answer, Found, Origin, Query, Search } from "./search.ts";
import { lossGraph, misclassification } from "./target.ts";
import type { DenseNorm } from "./threat.ts";

const size = 8;
const length = 3 * size * size;
const norms = ["linf", "l2"] as const;
/** Twice what the attack allows for rounding: its own check, and the one here. */
const slack = 2e-6;

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const image = (pixels: Float32Array, i: number): Float32Array => pixels.subarray(i * length, (i + 1) * length);
const indices = (values: readonly number[]): number[] => values.map((_, i) => i);

/** Logits w_c (x - 1/2) + b_c of one image, and the answers to a search on it. */
interface LinearModel {
  readonly weights: readonly Float32Array[];
  readonly biases: readonly number[];
}

function linearModel(seed: number, classes = 5): LinearModel {
  const random = randomStream("linear model", seed);
  return {
    weights: Array.from({ length: classes }, () => new Float32Array(length).map(() => random.normal())),
    biases: new Array<number>(classes).fill(0),
  };
}

const logitsOf = ({ weights, biases }: LinearModel, x: Float32Array): number[] =>
  weights.map((w, c) => dot(w, x) - w.reduce((sum, value) => sum + value / 2, 0) + biases[c]!);

/** Classes by their logit, the label first. */
function ranking(model: LinearModel, x: Float32Array): [number, ...number[]] {
  const logits = logitsOf(model, x);
  return indices(logits).sort((a, b) => logits[b]! - logits[a]!) as [number, ...number[]];
}

const normal = ({ weights }: LinearModel, label: number, other: number): Float32Array =>
  weights[other]!.map((w, i) => w - weights[label]![i]!);

/** To the boundary between two classes, away from the edges of [0, 1]. */
function boundaryDistance(norm: DenseNorm, model: LinearModel, x: Float32Array, label: number, other: number): number {
  const logits = logitsOf(model, x);
  return (logits[label]! - logits[other]!) / lengthIn(norm === "linf" ? "l1" : "l2", normal(model, label, other));
}

/** Carries a search out on a linear model, with one gradient array for all answers, as the driver has it. */
function play(search: Search, model: LinearModel, label: number): { found: Found; asked: Float32Array[] } {
  const asked: Float32Array[] = [];
  const gradient = new Float32Array(length);
  const answer = ({ point, target }: Query): Answer => {
    asked.push(point.slice());
    const logits = logitsOf(model, point);
    gradient.set(normal(model, label, target!));
    return { loss: logits[target!]! - logits[label]!, gradient, success: Math.max(...logits) > logits[label]! };
  };
  let next = search.next();
  while (!next.done) next = search.next(answer(next.value));
  return { found: next.value, asked };
}

const originOf = (clean: Float32Array, start?: Float32Array): Origin => ({
  clean,
  random: randomStream("origin"),
  ...(start && { start }),
});

describe.each(norms)("a linear classifier, %s", (norm) => {
  /** Pixels that no move to the boundary takes to the edges of [0, 1]. */
  const inner = (seed: number): Float32Array => randomImages(1, { seed, low: 0.3, high: 0.7 });

  test("goes beyond the boundary by a twentieth, back by a tenth, and closer: the first steps by hand", () => {
    const [model, clean] = [linearModel(0), inner(0)];
    const [label, other] = ranking(model, clean);
    const away = boundaryDistance(norm, model, clean, label, other!);
    const attack = fab({ norm, epsilon: 0.1 * away, steps: 2 });
    const { asked, found } = play(fabSearch(attack, originOf(clean), [other!], 0), model, label);
    const alpha = 0.055 / 1.055;
    const third = (1 - alpha) * (0.945 + 1.05 * 0.055) + alpha * 1.05;
    const positions = asked.map((point) => distance(norm, point, clean) / away);
    // Distances of some 0.01 (l-inf) in pixels that float32 rounds by 3e-8.
    expect(positions).toEqual([0, 1.05, 0.945, third, 0.9 * third].map((wanted) => expect.closeTo(wanted, 4)));
    expect(found).toMatchObject({ success: false, point: clean });
  });

  test("succeeds just where epsilon exceeds the least distance", () => {
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), (seed, targeted) => {
        const [model, clean] = [linearModel(seed), inner(seed)];
        const [label, ...others] = ranking(model, clean);
        const distances = others.map((other) => boundaryDistance(norm, model, clean, label, other));
        const away = targeted ? distances[0]! : Math.min(...distances);
        // Nearer boundaries are no more than float32 resolves: half a percent of 1e-3 is a hundred roundings of a pixel.
        fc.pre(away > 1e-3);
        const at = (factor: number, steps: number) => {
          const attack = fab({ norm, epsilon: factor * away, steps, targeted });
          const goals = targeted ? others.slice(0, 1) : others;
          const { found } = play(fabSearch(attack, originOf(clean), goals, 0), model, label);
          const within = distance(norm, found.point, clean);
          expect(within).toBeLessThanOrEqual(attack.epsilon + slack);
          const logits = logitsOf(model, found.point);
          expect(Math.max(...logits) > logits[label]!).toBe(found.success);
          expect(found.loss).toBeCloseTo(Math.max(...goals.map((goal) => logits[goal]! - logits[label]!)), 10);
          return found.success;
        };
        // On the way to one class another that is nearer may be met.
        const least = Math.min(...distances) / away;
        // One step ends 5 % beyond the boundary, two 0.52 % (the first steps by hand).
        expect([at(1.06, 1), at(1.006, 2), at(1.006, 100)]).toEqual([true, true, true]);
        expect(at(0.999 * least - slack / away, 100)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test("with pixels at the edges of [0, 1] it stays within 2 % of the least distance", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        // Pixels of 0 and 1 beside grey ones, and a boundary so far away that grey ones come to the edge too.
        const clean = randomImages(1, { seed, low: -1, high: 2 }).map((x) => Math.min(Math.max(x, 0), 1));
        const model = { ...linearModel(seed, 2), biases: [20, 0] };
        const [label, other] = ranking(model, clean);
        const away = leastInBox(norm, model, clean, label, other!);
        fc.pre(away !== undefined);
        const succeeds = (epsilon: number): boolean =>
          play(fabSearch(fab({ norm, epsilon }), originOf(clean), [other!], 0), model, label).found.success;
        expect(succeeds(1.02 * away!)).toBe(true);
        expect(succeeds(0.999 * away!)).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  test("without a success the image of the largest margin in the ball is returned, not the last one", () => {
    for (let seed = 0; seed < 10; seed++) {
      const [model, clean] = [linearModel(seed), inner(seed)];
      const [label, other] = ranking(model, clean);
      const epsilon = 0.95 * boundaryDistance(norm, model, clean, label, other!);
      const margin = (point: Float32Array): number => {
        const logits = logitsOf(model, point);
        return logits[other!]! - logits[label]!;
      };
      // Two classes only: no third one is met on the way.
      const two = { weights: [model.weights[label]!, model.weights[other!]!], biases: [0, 0] };
      for (const restart of [0, 1]) {
        const attack = fab({ norm, epsilon, steps: 4 });
        const { found, asked } = play(fabSearch(attack, originOf(clean), [1], restart), two, 0);
        const inside = asked.filter((point) => distance(norm, point, clean) <= epsilon);
        expect(found.success).toBe(false);
        expect(found.loss).toBeCloseTo(Math.max(...inside.map(margin)), 10);
        expect(margin(found.point)).toBeCloseTo(found.loss, 10);
      }
    }
  });

  test("aiming at all classes finds what aiming at the nearest finds", () => {
    let both = 0;
    for (let seed = 0; seed < 20; seed++) {
      const [model, clean] = [linearModel(seed), inner(seed)];
      const [label, ...others] = ranking(model, clean);
      const nearest = others.reduce((a, b) =>
        boundaryDistance(norm, model, clean, label, b) < boundaryDistance(norm, model, clean, label, a) ? b : a,
      );
      for (const factor of [0.5, 0.9, 1.02, 1.2]) {
        const epsilon = factor * boundaryDistance(norm, model, clean, label, nearest);
        const succeeds = (targeted: boolean, goals: readonly number[]): boolean => {
          const attack = fab({ norm, epsilon, targeted, steps: 10 });
          return play(fabSearch(attack, originOf(clean), goals, 0), model, label).found.success;
        };
        if (!succeeds(true, [nearest])) continue;
        expect(succeeds(false, others)).toBe(true);
        both++;
      }
    }
    expect(both).toBe(40);
  });

  test("classes that the image does not change are no aim: no NaN alone, no hindrance beside others", () => {
    const clean = inner(1);
    const two = linearModel(1, 2);
    const [label, other] = ranking(two, clean);
    // A third class that has the label's weights, once below it and once level with it.
    for (const below of [-1, 0]) {
      const model = { weights: [...two.weights, two.weights[label]!], biases: [...two.biases, below] };
      const epsilon = 1.1 * boundaryDistance(norm, model, clean, label, other!);
      for (const restart of [0, 1]) {
        const attack = fab({ norm, epsilon });
        const { found, asked } = play(fabSearch(attack, originOf(clean), [2], restart), model, label);
        expect(asked.every((point) => point.every(Number.isFinite))).toBe(true);
        expect(found).toMatchObject({ success: false, loss: expect.closeTo(below, 4) });
        expect(found.point.every(Number.isFinite)).toBe(true);
        const all = fab({ norm, epsilon, targeted: false });
        expect(play(fabSearch(all, originOf(clean), [2, other!], restart), model, label).found.success).toBe(true);
      }
    }
  });

  test("starts at the clean image or where told; restarts begin half an epsilon away, each elsewhere", () => {
    const [model, clean] = [linearModel(0), inner(0)];
    const [label, other] = ranking(model, clean);
    const attack = fab({ norm, epsilon: 1e-3, steps: 1 });
    const first = (origin: Origin, restart: number): Float32Array =>
      play(fabSearch(attack, origin, [other!], restart), model, label).asked[0]!;
    expect(first(originOf(clean), 0)).toEqual(clean);
    const start = clean.map((x, i) => (i === 5 ? x + 0.9e-3 : x));
    expect(first(originOf(clean, start), 0)).toEqual(start);
    expect(distance(norm, first(originOf(clean, inner(1)), 0), clean)).toBeLessThanOrEqual(1e-3 + slack);
    const origin = originOf(clean);
    const [one, two] = [first(origin, 1), first(origin, 2)];
    for (const point of [one, two]) expect(distance(norm, point, clean)).toBeCloseTo(0.5e-3, 6);
    expect(one).not.toEqual(two);
  });

  test("an image misclassified to begin with is returned at once", () => {
    const [model, clean] = [linearModel(0), inner(0)];
    const [label, other] = ranking(model, clean) as [number, number];
    const { found, asked } = play(fabSearch(fab({ norm, epsilon: 0 }), originOf(clean), [label], 0), model, other);
    expect(found).toMatchObject({ success: true, point: clean });
    expect(asked).toHaveLength(1);
  });
});

/** The least distance within [0, 1] at which the classes are level, by bisection on the ball's (l-inf) or the multiplier's size. */
function leastInBox(
  norm: DenseNorm,
  model: LinearModel,
  clean: Float32Array,
  label: number,
  other: number,
): number | undefined {
  const w = normal(model, label, other);
  const moved = (by: number): Float32Array =>
    clean.map((x, i) => Math.min(Math.max(x + by * (norm === "linf" ? Math.sign(w[i]!) : w[i]!), 0), 1));
  const crossed = (by: number): boolean => {
    const logits = logitsOf(model, moved(by));
    return logits[other]! >= logits[label]!;
  };
  let [low, high] = [0, 1000];
  if (!crossed(high)) return undefined;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (crossed(middle)) high = middle;
    else low = middle;
  }
  return distance(norm, moved(high), clean);
}

describe("the tiny encoder", () => {
  const encoder = tinyEncoder();
  const count = 24;
  const clean = randomImages(count);
  const target = (loss: "targeted-margin" | "margin") =>
    misclassification(
      (pixels) => classify(encoder.embed(pixels, frozenWeights(pixels.graph, encoder.parameters)), encoder.head!),
      loss,
    );
  let program: Program;
  let work: AttackJob & Images;

  beforeAll(async () => {
    program = await compile(lossGraph({ batch: 8, imageSize: size, gradient: true }, target("targeted-margin")), {
      threads: 1,
    });
    const g = new Graph();
    const pixels = g.input("pixels", "float32", [count, 3, size, size]);
    const logits = classify(encoder.embed(pixels, frozenWeights(g, encoder.parameters)), encoder.head!);
    const forward = await compile({ logits }, { threads: 1 });
    const scores = (await forward.run({ pixels: clean })).logits as Float32Array;
    await forward.dispose();
    const ranked = Array.from({ length: count }, (_, i) => {
      const row = [...scores.subarray(8 * i, 8 * (i + 1))];
      return indices(row).sort((a, b) => row[b]! - row[a]!);
    });
    work = {
      clean,
      count,
      keys: ranked.map((_, i) => 10 + i),
      rows: { labels: BigInt64Array.from(ranked, ([label]) => BigInt(label!)) },
      seed: 3,
      others: (i) => ranked[i]!.slice(1),
      classes: 8,
    };
  });
  afterAll(() => program.dispose());

  const run = (attack: Fab, part: Partial<AttackJob & Images> = {}) =>
    runSearches(oneSize(program), planOf(attack, { ...work, ...part }), { ...work, ...part });
  const accuracy = async (options: FabOptions): Promise<number> =>
    (await run(fab(options))).success.filter((broken) => !broken).length;

  test.each(norms)("what %s returns lies in the ball and in [0, 1], successes and failures", async (norm) => {
    const seen = new Set<boolean>();
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          epsilon: fc.integer({ min: 0, max: 100 }).map((n) => (n / 1000) * (norm === "linf" ? 1 : 5)),
          steps: fc.integer({ min: 1, max: 5 }),
          restarts: fc.integer({ min: 1, max: 2 }),
          targets: fc.integer({ min: 1, max: 9 }),
          targeted: fc.boolean(),
          seed: fc.nat(),
          started: fc.boolean(),
        }),
        async ({ seed, started, targeted, targets, ...options }) => {
          const attack = fab({ norm, ...options, ...(targeted ? { targets } : { targeted }) });
          const starts = randomImages(count, { seed });
          const { adversarial, success } = await run(attack, { seed, ...(started && { starts }) });
          for (let i = 0; i < count; i++) {
            expect(distance(norm, image(adversarial, i), image(clean, i))).toBeLessThanOrEqual(attack.epsilon + slack);
            seen.add(success[i]!);
          }
          expect(adversarial.every((x) => x >= 0 && x <= 1)).toBe(true);
        },
      ),
      { numRuns: 10 },
    );
    expect(seen.size).toBe(2);
  });

  test.each(norms)("%s: success and loss are those of the images returned", async (norm) => {
    const look = await compile(lossGraph({ batch: count, imageSize: size, gradient: false }, target("margin")), {
      threads: 1,
    });
    for (const targeted of [true, false]) {
      const outcome = await run(fab({ norm, epsilon: norm === "linf" ? 0.008 : 0.08, steps: 10, targeted }));
      const { loss, success } = await look.run({ ...work.rows, pixels: outcome.adversarial });
      expect(new Set(outcome.success).size).toBe(2);
      expect(outcome.success).toEqual([...(success as Uint8Array)].map((wrong) => wrong === 1));
      for (const [i, margin] of (loss as Float32Array).entries()) {
        // Kernels of other batch sizes round logits of some 1 otherwise. A targeted loss is that of the class aimed at, which
        // another class may exceed.
        if (targeted) expect(outcome.loss[i]).toBeLessThanOrEqual(margin + 1e-4);
        else expect(outcome.loss[i]).toBeCloseTo(margin, 4);
      }
    }
    await look.dispose();
  });

  test.each([
    ["linf", 0.02],
    ["l2", 0.2],
  ] as const)("%s: more steps, restarts or targets never raise accuracy, and take images", async (norm, epsilon) => {
    const falls = async (settings: readonly FabOptions[]): Promise<void> => {
      const accuracies: number[] = [];
      for (const options of settings) accuracies.push(await accuracy({ norm, ...options }));
      expect(accuracies).toEqual([...accuracies].sort((a, b) => b - a));
      expect(accuracies.at(-1)).toBeLessThan(accuracies[0]!);
    };
    await falls([1, 2, 5, 20].map((steps) => ({ epsilon, steps })));
    await falls([1, 2, 5, 20].map((steps) => ({ epsilon, steps, targeted: false })));
    await falls([1, 2, 4, 9].map((targets) => ({ epsilon, targets, steps: 5 })));
    await falls([1, 2, 8].map((restarts) => ({ epsilon, restarts, steps: 1, targeted: false })));
  });
});

test("defaults", () => {
  expect(fab({ epsilon: 0.04 })).toEqual({
    kind: "fab",
    norm: "linf",
    epsilon: 0.04,
    targeted: true,
    steps: 100,
    restarts: 1,
    targets: 9,
  });
});

test.each<[FabOptions, RegExp]>([
  [{ epsilon: 2 }, /Epsilon 2 .*2\/255/],
  [{ epsilon: 0.1, steps: 0 }, /FAB.*steps.*0/],
  [{ epsilon: 0.1, restarts: 1.5 }, /FAB.*restarts.*1\.5/],
  [{ epsilon: 0.1, targets: -1 }, /FAB.*targets.*-1/],
])("%j is refused", (options, message) => {
  expect(() => fab(options)).toThrow(UsageError);
  expect(() => fab(options)).toThrow(message);
});
