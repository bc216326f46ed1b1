import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { classify } from "../models/classifier.ts";
import { frozenWeights } from "../models/encoder.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import type { Program } from "../runtime/program.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import { type Apgd, type ApgdOptions, apgd, apgdSearch } from "./apgd.ts";
import { type Images, planOf } from "./attack.ts";
import { distance } from "./ball.ts";
import { drive } from "./drive.ts";
import type { Search } from "./search.ts";
import { lossGraph, misclassification } from "./target.ts";
import type { Norm } from "./threat.ts";

const size = 8;
const length = 3 * size * size;
/** Rounding of sums in float32; l1 sums 192 of them. */
const slack = 1e-4;
const norms = ["linf", "l2", "l1"] as const;
const reach: Readonly<Record<Norm, number>> = { linf: 0.1, l2: 0.5, l1: 4 };

/** Answers a search by a function of the point, and lists the losses. */
function follow(search: Search, ask: (point: Float32Array) => { loss: number; gradient: Float32Array }) {
  const losses: number[] = [];
  let next = search.next(undefined as never);
  while (!next.done) {
    const { loss, gradient } = ask(next.value.point);
    losses.push(loss);
    next = search.next({ loss, gradient, success: false });
  }
  return { losses, found: next.value };
}

const searchOf = (attack: Apgd, clean: Float32Array, seed = 0): Search =>
  planOf(attack, { clean, count: 1, keys: [seed], seed: 0, others: () => [1, 2, 3] }).begin(0, 0);

/** The largest gain of a linear loss within the ball and [0, 1], far from the box for l2. */
function worstGain(norm: Norm, weight: Float32Array, clean: Float32Array, epsilon: number): number {
  const rooms = Array.from(weight, (w, i) => (w > 0 ? 1 - clean[i]! : clean[i]!));
  if (norm === "l2") return epsilon * Math.hypot(...weight);
  if (norm === "linf") return weight.reduce((sum, w, i) => sum + Math.abs(w) * Math.min(epsilon, rooms[i]!), 0);
  let left = epsilon;
  let gain = 0;
  for (const i of Array.from(weight.keys()).sort((a, b) => Math.abs(weight[b]!) - Math.abs(weight[a]!))) {
    const move = Math.min(rooms[i]!, left);
    gain += Math.abs(weight[i]!) * move;
    left -= move;
  }
  return gain;
}

describe("a linear loss", () => {
  test.each(norms)("%s: its worst case is found", (norm) => {
    const random = randomStream("weights", norm);
    const weight = new Float32Array(length).map(() => random.normal());
    const clean = randomImages(1, { low: 0.2, high: 0.8 });
    const base = weight.reduce((sum, w, i) => sum + w * clean[i]!, 0);
    const ask = (point: Float32Array) => ({
      loss: weight.reduce((sum, w, i) => sum + w * point[i]!, 0),
      gradient: weight,
    });
    const { found } = follow(searchOf(apgd({ norm, epsilon: reach[norm] }), clean), ask);
    const worst = worstGain(norm, weight, clean, reach[norm]);
    // l1 ends on the right pixels, with the last of its steps not quite taken back from others.
    expect((found.loss - base) / worst).toBeGreaterThan(norm === "l1" ? 0.98 : 0.9999);
    expect((found.loss - base) / worst).toBeLessThan(1.0001);
    expect(distance(norm, found.point, clean)).toBeLessThanOrEqual(reach[norm] + slack);
  });
});

test("the step size is looked at after steps 22, 41, 57, 70, 80, 87, 93 and 99 of 100", () => {
  // Where the loss only falls, every check halves the step and goes back to the best point, which is the start; in
  // between the points only rise.
  const clean = new Float32Array(length).fill(0.5);
  const search = apgdSearch(
    { ...apgd({ epsilon: 0.25 }), norm: "linf" },
    { clean, random: randomStream(0), start: clean },
  );
  const gradient = new Float32Array(length).fill(1);
  const points: number[] = [];
  let next = search.next(undefined as never);
  let loss = 0;
  while (!next.done) {
    points.push(next.value.point[0]!);
    next = search.next({ loss: loss--, gradient, success: false });
  }
  const returns = points.flatMap((x, i) => (i > 0 && x < points[i - 1]! ? [i - 1] : []));
  expect(returns).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
  expect(points.length).toBe(101);
});

const encoder = tinyEncoder();
const compiled = (loss: Apgd["loss"] & ("ce" | "dlr" | "targeted-dlr")): Promise<Program> =>
  compile(
    lossGraph(
      { batch: 6, imageSize: size, gradient: true },
      misclassification(
        (pixels) => classify(encoder.embed(pixels, frozenWeights(pixels.graph, encoder.parameters)), encoder.head!),
        loss,
      ),
    ),
    { threads: 1 },
  );

describe("on a small transformer", () => {
  /** Images with the labels that the encoder gives them, and their other classes by logit. */
  async function rightImages(count: number) {
    const clean = randomImages(count, { seed: 5 });
    const program = await compiled("ce");
    const losses: Float32Array[] = [];
    for (let label = 0; label < 8; label++) {
      const all = new Float32Array(count);
      const rows = { labels: new BigInt64Array(count).fill(BigInt(label)) };
      function* look(point: Float32Array, i: number): Search {
        const { loss, success } = yield { point };
        all[i] = loss;
        return { point, loss, success };
      }
      const begin = (i: number): Search => look(clean.subarray(i * length, (i + 1) * length), i);
      await drive({ at: async () => program }, { runs: 1, eot: 1, begin }, { clean, count, rows });
      losses.push(all);
    }
    await program.dispose();
    const ranking = Array.from({ length: count }, (_, i) =>
      losses.map((_, c) => c).sort((a, b) => losses[a]![i]! - losses[b]![i]!),
    );
    const labels = BigInt64Array.from(ranking, (order) => BigInt(order[0]!));
    const images: Images = {
      ...{ clean, count, seed: 1, classes: 8 },
      keys: Array.from({ length: count }, (_, i) => i),
      others: (i) => ranking[i]!.slice(1),
    };
    return { images, job: { clean, count, rows: { labels } } };
  }

  const broken = (success: readonly boolean[]): number => success.filter(Boolean).length;

  test.each(["ce", "dlr", "targeted-dlr"] as const)(
    "%s: steps, restarts and targets only add to what is broken",
    async (loss) => {
      const { images, job } = await rightImages(18);
      const program = await compiled(loss);
      const attackWith = async (options: Omit<ApgdOptions, "epsilon" | "loss">) => {
        const attack = apgd({ epsilon: 0.012, loss, steps: 8, ...options });
        return broken((await drive({ at: async () => program }, planOf(attack, images), job)).success);
      };
      const one = await attackWith({ targets: 1 });
      const restarts = await attackWith({ targets: 1, restarts: 3 });
      const targets = await attackWith({ targets: 7 });
      expect(restarts).toBeGreaterThanOrEqual(one);
      expect(targets).toBeGreaterThanOrEqual(one);
      const more = await attackWith({ targets: 7, steps: 40 });
      expect(more).toBeGreaterThan(0);
      await program.dispose();
    },
  );

  test.each(norms)("%s: never outside the ball or [0, 1], the same under a seed", async (norm) => {
    const { images, job } = await rightImages(6);
    const program = await compiled("ce");
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.integer({ min: 1, max: 12 }),
        async (share, steps) => {
          const attack = apgd({ norm, epsilon: share * reach[norm], steps });
          const run = () => drive({ at: async () => program }, planOf(attack, images), job);
          const [{ adversarial }, again] = [await run(), await run()];
          expect(again.adversarial).toEqual(adversarial);
          expect(adversarial.every((x) => x >= 0 && x <= 1)).toBe(true);
          for (let i = 0; i < 6; i++) {
            const part = (all: Float32Array) => all.subarray(i * length, (i + 1) * length);
            expect(distance(norm, part(adversarial), part(images.clean))).toBeLessThanOrEqual(attack.epsilon + slack);
          }
        },
      ),
      { numRuns: 12 },
    );
    await program.dispose();
  });

  test("a targeted attack without the classes to aim at is refused", () => {
    const attack = apgd({ epsilon: 0.1, loss: "targeted-dlr" });
    const images = { clean: new Float32Array(length), count: 1, keys: [0], seed: 0 };
    expect(() => planOf(attack, images)).toThrow(UsageError);
  });
});
