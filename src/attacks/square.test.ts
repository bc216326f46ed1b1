import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { Graph, type Value } from "../graph/index.ts";
import { classify } from "../models/classifier.ts";
import { frozenWeights } from "../models/encoder.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import type { Program } from "../runtime/program.ts";
import { oneSize } from "../testing/one-size.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import { apgd } from "./apgd.ts";
import { distance, lengthIn } from "./ball.ts";
import type { AttackOutcome } from "./outcome.ts";
import { pgd } from "./pgd.ts";
import { planOf } from "./plan.ts";
import { type Attack, attackLoss } from "./registry.ts";
import { runSearches } from "./scheduler.ts";
import type { Found, Search } from "./search.ts";
import { type Square, type SquareOptions, square, squareSearch } from "./square.ts";
import { isEmbeddingLoss, lossGraph, misclassification } from "./target.ts";

const norms = ["linf", "l2"] as const;
/** Pixels near 1 are rounded by 3e-8, and their distance is compared again in float64. */
const slack = 1e-6;

/** Carries a search out on a loss of one's own, with a copy of every point it asks for. */
function play(
  search: Search,
  lossOf: (point: Float32Array) => number,
  goal = Infinity,
): { readonly found: Found; readonly asked: readonly Float32Array[] } {
  const asked: Float32Array[] = [];
  let next = search.next();
  while (!next.done) {
    const { point } = next.value;
    asked.push(point.slice());
    const loss = lossOf(point);
    next = search.next({ loss, gradient: new Float32Array(0), success: loss > goal });
    // What is returned must not be the buffer of the questions.
    if (next.done) point.fill(Number.NaN);
  }
  return { found: next.value, asked };
}

const begin = (options: SquareOptions, clean: Float32Array, seed = 0): Search =>
  squareSearch(square(options), { clean, random: randomStream("square", seed) });

function randomWeight(length: number, seed = 0): Float32Array {
  const random = randomStream("weight", seed);
  return new Float32Array(length).map(() => random.normal());
}

/** w (x - x0) */
const gain = (weight: Float32Array, clean: Float32Array) => (point: Float32Array) =>
  point.reduce((sum, x, i) => sum + weight[i]! * (x - clean[i]!), 0);

const drawn = fc.record({
  size: fc.integer({ min: 1, max: 12 }),
  queries: fc.integer({ min: 1, max: 80 }),
  seed: fc.nat(),
});

describe("threat model", () => {
  test.each(norms)("%s: no point asked for or returned is outside the ball or [0, 1], at any size", (norm) => {
    fc.assert(
      fc.property(
        drawn,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        ({ size, queries, seed }, share, given) => {
          // Up to the whole picture moved by 1: most of the pixels meet the edges of [0, 1].
          const epsilon = norm === "linf" ? share : share * Math.sqrt(3) * size;
          const clean = randomImages(1, { seed, size });
          const origin = { clean, random: randomStream(seed), ...(given && { start: clean }) };
          const { asked, found } = play(
            squareSearch(square({ norm, epsilon, queries }), origin),
            gain(randomWeight(clean.length, seed), clean),
          );
          expect(asked).toHaveLength(1 + queries);
          if (given) expect(asked[0]).toEqual(clean);
          for (const point of [...asked, found.point]) {
            expect(distance(norm, point, clean)).toBeLessThanOrEqual(epsilon + slack);
            expect(point.every((x) => x >= 0 && x <= 1)).toBe(true);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test("linf: every pixel is epsilon away, or at the edge of [0, 1]", () => {
    fc.assert(
      fc.property(drawn, fc.double({ min: 0, max: 1, noNaN: true }), ({ size, queries, seed }, epsilon) => {
        const clean = randomImages(1, { seed, size });
        const { asked } = play(begin({ epsilon, queries }, clean, seed), gain(randomWeight(clean.length, seed), clean));
        const corners = clean.map((x) => Math.min(x + epsilon, 1));
        const others = clean.map((x) => Math.max(x - epsilon, 0));
        for (const point of asked) expect(point.every((x, i) => x === corners[i] || x === others[i])).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test("l2: a point that no edge clips is epsilon away, without the whole image being scaled", () => {
    fc.assert(
      fc.property(drawn, fc.boolean(), ({ size: drawnSize, queries, seed }, given) => {
        // Smaller windows have no bumps to mix, and lose what they held where two signs cancel.
        const size = Math.max(drawnSize, 3);
        const clean = randomImages(1, { seed, size, low: 0.3, high: 0.7 });
        const origin = { clean, random: randomStream(seed), ...(given && { start: clean }) };
        const attack = square({ norm: "l2", epsilon: 0.25, queries });
        const { asked } = play(squareSearch(attack, origin), gain(randomWeight(clean.length, seed), clean));
        // From the clean image the first change spends all of the ball that is left.
        // Each of at most 432 pixels is rounded by 3e-8, every query anew.
        for (const point of asked.slice(given ? 1 : 0)) expect(distance("l2", point, clean)).toBeCloseTo(0.25, 5);
      }),
      { numRuns: 30 },
    );
  });
});

describe("windows", () => {
  const size = 32;
  /** Rows in which each point differs from the first one, for a search that keeps none. */
  function heights(clean: Float32Array, options: SquareOptions): number[] {
    const [first, ...rest] = play(begin(options, clean), () => 0).asked;
    return rest.map((point) => {
      const rows = [...Array(size).keys()].filter((row) =>
        [0, 1, 2].some((channel) => {
          const start = (channel * size + row) * size;
          return point.subarray(start, start + size).some((x, i) => x !== first![start + i]);
        }),
      );
      return rows.length;
    });
  }

  test("linf: squares of 0.8 of the picture, halved after so many queries", () => {
    const clean = randomImages(1, { size, low: 0.3, high: 0.7 });
    // Against vertical stripes a window changes all of its rows, unless it repeats them.
    const seen = heights(clean, { epsilon: 0.1, queries: 8100 });
    // Side = 32 sqrt(0.8 / 2^k), rounded, and the first query that has it.
    const sides = [
      [29, 0],
      [20, 11],
      [14, 51],
      [10, 201],
      [7, 501],
      [5, 1001],
      [4, 2001],
      [3, 4001],
      [2, 6001],
      [1, 8001],
    ] as const;
    for (const [k, [side, from]] of sides.entries()) {
      const until = sides[k + 1]?.[1] ?? seen.length;
      // A window of one column has two signs a channel and repeats the stripes with chance 1/8.
      expect(new Set(seen.slice(from, until).filter((height) => height > 0))).toEqual(new Set([side]));
    }
  });

  test("l2: two windows of an odd side from 3, and nothing outside them", () => {
    const clean = randomImages(1, { size, low: 0.3, high: 0.7 });
    const seen = heights(clean, { norm: "l2", epsilon: 0.1, queries: 2100 });
    // As above, rounded up to odd; two windows cover at most twice the rows, and never less than one of them does.
    for (const [side, from, until] of [
      [29, 0, 11],
      [21, 11, 51],
      [15, 51, 201],
      [11, 201, 501],
      [7, 501, 1001],
      [5, 1001, 2001],
      [5, 2001, 2100],
    ] as const) {
      const part = seen.slice(from, until);
      expect(Math.min(...part)).toBeGreaterThanOrEqual(side);
      expect(Math.max(...part)).toBeLessThanOrEqual(Math.min(2 * side, size));
      if (side < 12) expect(Math.max(...part)).toBe(2 * side);
    }
  });
});

describe("what is kept", () => {
  test.each(norms)("%s: the largest loss, in an array of its own; NaN never", (norm) => {
    for (let seed = 0; seed < 10; seed++) {
      const clean = randomImages(1, { seed, size: 6 });
      const random = randomStream("losses", seed);
      const losses: number[] = [];
      const { asked, found } = play(begin({ norm, epsilon: 0.1, queries: 50 }, clean), () => {
        losses.push(losses.length % 7 === 3 ? Number.NaN : random.uniform());
        return losses.at(-1)!;
      });
      const largest = Math.max(...losses.filter((loss) => !Number.isNaN(loss)));
      expect(found.loss).toBe(largest);
      expect(found.point).toEqual(asked[losses.indexOf(largest)]);
    }
  });

  test.each(norms)("%s: the first success ends the search, even at a smaller loss", (norm) => {
    const clean = randomImages(1, { size: 6 });
    for (const last of [0, 1, 9]) {
      const search = begin({ norm, epsilon: 0.1, queries: 50 }, clean);
      let next = search.next();
      let asked: Float32Array | undefined;
      for (let i = 0; !next.done; i++) {
        asked = next.value.point.slice();
        next = search.next({ loss: -i, gradient: new Float32Array(0), success: i === last });
      }
      expect(next.value).toEqual({ point: asked, loss: -last, success: true });
    }
  });
});

describe("a linear classifier", () => {
  const size = 12;
  const clean = randomImages(1, { size, low: 0.3, high: 0.7 });

  test("linf: within 3 % of the worst case where windows reach", () => {
    const weight = randomWeight(clean.length);
    // Only a window of the whole picture reaches the last row and column, here as in the reference implementation.
    for (let i = 0; i < weight.length; i++)
      if (i % size === size - 1 || Math.floor(i / size) % size === size - 1) weight[i] = 0;
    const worst = 0.1 * lengthIn("l1", weight);
    const attack = { epsilon: 0.1, queries: 8000 };
    const { found } = play(begin(attack, clean), gain(weight, clean), 0.97 * worst);
    expect(found.success).toBe(true);
    // Rounding of 432 pixels at most by 3e-8 each.
    expect(play(begin(attack, clean), gain(weight, clean), worst * (1 + 1e-5)).found.success).toBe(false);
  });

  test("l2: a bump is found where it is", () => {
    const edge = 5;
    // One smooth blob above another of the other sign: what Square's bumps are made for.
    const weight = new Float32Array(clean.length).map((_, i) => {
      const [row, column] = [(Math.floor(i / size) % size) - edge, (i % size) - edge];
      return Math.sign(row) * Math.exp(-(row ** 2 + column ** 2) / 4);
    });
    const worst = 0.25 * lengthIn("l2", weight);
    const attack: SquareOptions = { norm: "l2", epsilon: 0.25, queries: 5000 };
    const { found } = play(begin(attack, clean), gain(weight, clean), 0.9 * worst);
    expect(found.success).toBe(true);
    expect(play(begin(attack, clean), gain(weight, clean), worst * (1 + 1e-5)).found.success).toBe(false);
  });

  test.each([
    ["linf", 0.75],
    ["l2", 0.45],
  ] as const)("%s: squares of one sign follow a random weight some of the way", (norm, share) => {
    // Pixel by pixel the weight has nothing of a square: windows of a pixel (l-inf) come nearer than bumps.
    const weight = randomWeight(clean.length);
    const epsilon = 0.1;
    const worst = epsilon * lengthIn(norm === "linf" ? "l1" : "l2", weight);
    const { found, asked } = play(begin({ norm, epsilon, queries: 5000 }, clean), gain(weight, clean));
    expect(found.loss / worst).toBeGreaterThan(share);
    expect(gain(weight, clean)(asked[0]!) / worst).toBeLessThan(0.2);
  });
});

describe("on an encoder", () => {
  const size = 8;
  const length = 3 * size ** 2;
  const count = 16;
  const clean = randomImages(count, { seed: 5 });
  const keys = Array.from({ length: count }, (_, i) => 10 + i);

  const encoder = tinyEncoder();
  const open = (pixels: Value): Value =>
    classify(encoder.embed(pixels, frozenWeights(pixels.graph, encoder.parameters)), encoder.head!);
  /** Logits in steps of an eighth: no gradient anywhere. */
  const masked = (pixels: Value): Value => {
    const { graph: g } = pixels;
    return g.mul(g.floor(g.mul(open(pixels), 8)), 1 / 8);
  };
  type Logits = typeof open;

  const programs: Program[] = [];
  afterAll(() => Promise.all(programs.map((program) => program.dispose())));

  /** The class that the model gives each image: every image is right before the attack. */
  async function labelsOf(logits: Logits): Promise<BigInt64Array> {
    const g = new Graph();
    const pixels = g.input("pixels", "float32", [count, 3, size, size]);
    const program = await compile({ label: g.argMax(logits(pixels), 1) }, { threads: 1 });
    programs.push(program);
    return ((await program.run({ pixels: clean })).label as BigInt64Array).slice();
  }

  async function attacked(logits: Logits, attack: Attack, { batch = count, seed = 3, only = -1 } = {}) {
    const { loss, gradient } = attackLoss(attack);
    if (isEmbeddingLoss(loss)) throw new Error(`${loss} needs embeddings.`);
    const target = misclassification(logits, loss);
    const program = await compile(lossGraph({ batch, imageSize: size, gradient }, target), { threads: 1 });
    programs.push(program);
    const labels = await labelsOf(logits);
    const [from, to] = only < 0 ? [0, count] : [only, only + 1];
    const images = { clean: clean.subarray(from * length, to * length), count: to - from };
    const plan = planOf(attack, { ...images, keys: keys.slice(from, to), seed });
    return runSearches(oneSize(program), plan, { ...images, rows: { labels: labels.slice(from, to) } });
  }
  const broken = ({ success }: AttackOutcome): number => success.filter((hit) => hit).length;

  test.each([
    ["linf", 0.03],
    ["l2", 0.2],
  ] as const)("%s: finds what gradients cannot where they are masked", async (norm, epsilon) => {
    let chance = 0;
    for (const attack of [pgd({ norm, epsilon }), apgd({ norm, epsilon }), apgd({ norm, epsilon, loss: "dlr" })]) {
      // Not because there was nothing to find.
      expect(broken(await attacked(open, attack))).toBeGreaterThanOrEqual(count / 2);
      const found = await attacked(masked, attack);
      // Nothing but what its random start broke.
      expect(found.iteration.filter((iteration, i) => found.success[i] && iteration > 0)).toEqual([]);
      chance = Math.max(chance, broken(found));
    }
    const found = await attacked(masked, square({ norm, epsilon, queries: 1000 }));
    expect(broken(found)).toBeGreaterThanOrEqual(chance + count / 4);
  });

  describe.each(norms)("%s", (norm) => {
    const epsilon = norm === "linf" ? 0.02 : 0.1;
    const attack = (options: Partial<Square> = {}): Square => square({ norm, epsilon, queries: 60, ...options });

    test("more queries and more restarts never raise accuracy, nor lower the margin, and both take images", async () => {
      const runs = async (options: readonly Partial<Square>[]): Promise<AttackOutcome[]> => {
        const outcomes = [];
        for (const one of options) outcomes.push(await attacked(open, attack(one)));
        return outcomes;
      };
      const byQueries = await runs([{ queries: 1 }, { queries: 10 }, { queries: 200 }]);
      const byRestarts = await runs([{ queries: 1 }, { queries: 1, restarts: 4 }, { queries: 1, restarts: 32 }]);
      for (const outcomes of [byQueries, byRestarts]) {
        for (const [k, { success, loss }] of outcomes.slice(1).entries()) {
          const before = outcomes[k]!;
          for (let i = 0; i < count; i++) {
            if (before.success[i]) expect(success[i]).toBe(true);
            else if (!success[i]) expect(loss[i]).toBeGreaterThanOrEqual(before.loss[i]!);
          }
        }
        expect(broken(outcomes[2]!)).toBeGreaterThan(broken(outcomes[0]!));
      }
    });

    test("a result depends on the seed, not on the batch or the neighbours", async () => {
      const once = await attacked(open, attack());
      expect(await attacked(open, attack())).toEqual(once);
      expect((await attacked(open, attack(), { seed: 4 })).adversarial).not.toEqual(once.adversarial);
      // Both kinds of images are there, or the comparison would say little.
      expect(new Set(once.success).size).toBe(2);
      for (const batch of [1, 5]) {
        const other = await attacked(open, attack(), { batch });
        expect(other.adversarial).toEqual(once.adversarial);
        expect(other.success).toEqual(once.success);
      }
      for (const only of [0, 7]) {
        const alone = await attacked(open, attack(), { only });
        expect(alone.adversarial).toEqual(once.adversarial.subarray(only * length, (only + 1) * length));
      }
    });
  });
});

test("defaults", () => {
  expect(square({ epsilon: 0.04 })).toEqual({
    kind: "square",
    norm: "linf",
    epsilon: 0.04,
    queries: 5000,
    restarts: 1,
  });
});

test.each<[SquareOptions, RegExp]>([
  [{ epsilon: 2 }, /Epsilon 2 .*2\/255/],
  [{ epsilon: 0.1, queries: 0 }, /queries.*0/],
  [{ epsilon: 0.1, queries: 1.5 }, /queries.*1\.5/],
  [{ epsilon: 0.1, restarts: 0 }, /restarts.*0/],
])("%j is refused", (options, message) => {
  expect(() => square(options)).toThrow(UsageError);
  expect(() => square(options)).toThrow(message);
});
