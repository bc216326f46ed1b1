import { describe, expect, test } from "vitest";
import type { Value } from "../graph/index.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { randomImages } from "../testing/tiny.ts";
import { ascentGraph, drawStarts, type Starts } from "./ascent.ts";
import { type EpsilonDraw, innerAttack } from "./inner.ts";
import { type InnerPrograms, perturbBatch } from "./perturb.ts";
import { lossGraph, type TargetBuilder } from "./target.ts";

const [batch, size] = [3, 4];
const length = 3 * size * size;
const shape = [batch, 3, size, size];
const single = { threads: 1 };
const random = randomStream("perturb");
// Away from 0 and 1, so that only the ball limits.
const clean = randomImages(batch, { size, low: 0.3, high: 0.7 });
const image = (pixels: Float32Array, i: number): Float32Array => pixels.subarray(i * length, (i + 1) * length);

function startsOf(attack: Parameters<typeof innerAttack>[0]): Starts {
  const perImage = (): Float32Array => new Float32Array(batch);
  const starts = { adversarial: new Float32Array(clean.length), epsilon: perImage(), stepSize: perImage() };
  drawStarts(innerAttack(attack), clean, (i) => ["start", i], starts);
  return starts;
}

function startAt(start: "zero" | "uniform", epsilon: number): Float32Array {
  return startsOf({ epsilon, start }).adversarial;
}

const sized = (epsilon: number) => ({ epsilon: new Float32Array(batch).fill(epsilon) });

async function autoPrograms(target: TargetBuilder): Promise<InnerPrograms> {
  const spec = { batch, imageSize: size };
  return {
    ascent: await compile(lossGraph({ ...spec, gradient: true }, target), single),
    lastLook: await compile(lossGraph({ ...spec, gradient: false }, target), single),
  };
}

describe("the APGD schedule", () => {
  const epsilon = 0.1;
  // Maxima within the ball for most pixels, outside for some; curvatures over two orders of magnitude.
  const peak = clean.map((x) => x + epsilon * 0.8 * random.normal());
  const curvature = clean.map(() => 10 ** random.uniform(-1, 1));
  const offset = 10;
  const quadratic: TargetBuilder = (pixels: Value) => {
    const g = pixels.graph;
    const constant = (data: Float32Array): Value => g.constant({ dtype: "float32", shape, data });
    const away = g.sub(pixels, constant(peak));
    const weighted = g.mul(g.mul(away, away), constant(curvature));
    return { loss: g.sub(offset, g.reduceSum(weighted, { axes: [1, 2, 3] })) };
  };
  const lossOf = (x: ArrayLike<number>, i: number): number => {
    let loss = offset;
    for (let j = 0; j < length; j++) loss -= image(curvature, i)[j]! * (x[j]! - image(peak, i)[j]!) ** 2;
    return loss;
  };

  /** Algorithm 1 of Croce and Hein 2020 as the paper has it, in float64. */
  function paper(
    i: number,
    steps: number,
    start: Float32Array,
  ): { readonly best: number[]; readonly halvings: number } {
    const project = (x: readonly number[]): number[] =>
      x.map((value, j) => {
        const centre = image(clean, i)[j]!;
        return Math.min(Math.max(value, centre - epsilon), centre + epsilon);
      });
    const signs = (x: readonly number[]): number[] => x.map((value, j) => Math.sign(image(peak, i)[j]! - value));
    const checkpoints = [0];
    for (let p = [0, 0.22]; p[1]! <= 1; p = [p[1]!, p[1]! + Math.max(p[1]! - p[0]! - 0.03, 0.06)])
      checkpoints.push(Math.ceil(steps * p[1]! - 1e-9));

    let eta = 2 * epsilon;
    let halvings = 0;
    let previous = [...start];
    let x = project(previous.map((value, j) => value + eta * signs(previous)[j]!));
    const losses = [lossOf(previous, i), lossOf(x, i)];
    let best = losses[1]! > losses[0]! ? x : previous;
    let [etaAtCheck, bestAtCheck] = [eta, losses[0]!];
    for (let k = 1; k < steps; k++) {
      if (checkpoints.includes(k)) check(k);
      const direction = signs(x);
      const z = project(x.map((value, j) => value + eta * direction[j]!));
      const next = project(x.map((value, j) => value + 0.75 * (z[j]! - value) + 0.25 * (value - previous[j]!)));
      [previous, x] = [x, next];
      losses.push(lossOf(x, i));
      if (lossOf(x, i) > lossOf(best, i)) best = x;
    }
    return { best, halvings };

    function check(k: number): void {
      const from = checkpoints[checkpoints.indexOf(k) - 1]!;
      let rises = 0;
      for (let j = from; j < k; j++) if (losses[j + 1]! > losses[j]!) rises++;
      const stalled = etaAtCheck === eta && bestAtCheck === lossOf(best, i) && from > 0;
      [etaAtCheck, bestAtCheck] = [eta, lossOf(best, i)];
      if (rises >= 0.75 * (k - from) && !stalled) return;
      eta /= 2;
      halvings++;
      x = best;
    }
  }

  test("on a quadratic, from given starts: the paper's algorithm, image by image", async () => {
    const programs = await autoPrograms(quadratic);
    const steps = 100;
    const start = startAt("uniform", epsilon);
    const out = start.slice();
    await perturbBatch(programs, innerAttack({ epsilon, steps, schedule: "apgd" }), clean, sized(epsilon), out);
    for (let i = 0; i < batch; i++) {
      const { best, halvings } = paper(i, steps, image(start, i));
      expect(halvings).toBeGreaterThan(3);
      // Losses of about 10 in float32: the two may take another of several points that are equal to six digits.
      expect(lossOf(image(out, i), i)).toBeCloseTo(lossOf(best, i), 5);
      expect(lossOf(image(out, i), i)).toBeGreaterThan(lossOf(image(start, i), i));
    }
    for (const program of Object.values(programs)) await program?.dispose();
  });

  test.each([1, 2, 3])("%d steps: at least as good as the start, and the last point is looked at", async (steps) => {
    const programs = await autoPrograms(quadratic);
    const start = startAt("uniform", epsilon);
    const out = start.slice();
    await perturbBatch(programs, innerAttack({ epsilon, steps, schedule: "apgd" }), clean, sized(epsilon), out);
    for (let i = 0; i < batch; i++) {
      const { best } = paper(i, steps, image(start, i));
      if (steps === 1) for (const [j, x] of image(out, i).entries()) expect(x).toBeCloseTo(best[j]!, 6);
      expect(lossOf(image(out, i), i)).toBeGreaterThanOrEqual(lossOf(image(start, i), i));
    }
    for (const program of Object.values(programs)) await program?.dispose();
  });

  test("epsilon 0: the clean images", async () => {
    const programs = await autoPrograms(quadratic);
    const out = startAt("uniform", 0);
    await perturbBatch(programs, innerAttack({ epsilon: 0, steps: 2, schedule: "apgd" }), clean, sized(0), out);
    expect(out).toEqual(clean);
    for (const program of Object.values(programs)) await program?.dispose();
  });
});

test("fixed steps: each image moves by its own step size and stays within its own epsilon", async () => {
  const weight = new Float32Array(length).map(() => random.normal());
  const slope: TargetBuilder = (pixels) => {
    const g = pixels.graph;
    const w = g.constant({ dtype: "float32", shape: [1, 3, size, size], data: weight });
    return { loss: g.reduceSum(g.mul(pixels, w), { axes: [1, 2, 3] }) };
  };
  const spec = { batch, imageSize: size, norm: "linf", momentum: false } as const;
  const programs: InnerPrograms = { ascent: await compile(ascentGraph(spec, slope), single), lastLook: undefined };
  const epsilons = Float32Array.of(0.1, 0.02, 0);
  const stepSizes = Float32Array.of(0.01, 0.01, 0.01);
  const out = clean.slice();
  const feeds = { epsilon: epsilons, stepSize: stepSizes };
  await perturbBatch(programs, innerAttack({ epsilon: 0.1, steps: 5 }), clean, feeds, out);
  for (const [i, x] of out.entries()) {
    const image = Math.floor(i / length);
    const moved = Math.min(5 * stepSizes[image]!, epsilons[image]!);
    expect(x).toBeCloseTo(clean[i]! + moved * Math.sign(weight[i % length]!), 6);
  }
  for (const program of Object.values(programs)) await program?.dispose();
});

describe("drawn sizes", () => {
  const many = 4000;
  const draw = (epsilonDraw: EpsilonDraw): { readonly epsilon: Float32Array; readonly stepSize: Float32Array } => {
    const rows = (): Float32Array => new Float32Array(many);
    const out = { adversarial: rows(), epsilon: rows(), stepSize: rows() };
    const attack = innerAttack({ epsilon: 0.1, stepSize: 0.06, epsilonDraw });
    drawStarts(attack, new Float32Array(many).fill(0.5), (i) => ["draw", i], out);
    for (const [i, x] of out.adversarial.entries())
      expect(Math.abs(x - 0.5)).toBeLessThanOrEqual(out.epsilon[i]! + 1e-7);
    return out;
  };

  test.each<[EpsilonDraw, number]>([
    ["constant", 0.1],
    ["uniform", 0.05],
    ["sqrt", 0.2 / 3],
  ])("%s: mean %d, steps in proportion", (epsilonDraw, mean) => {
    const { epsilon, stepSize } = draw(epsilonDraw);
    // The standard error of the mean is at most 0.1 / sqrt(12 * 4000) = 0.0005.
    expect(epsilon.reduce((sum, e) => sum + e, 0) / many).toBeCloseTo(mean, 2.5);
    for (const [i, e] of epsilon.entries()) expect(stepSize[i]).toBeCloseTo(0.6 * e, 6);
  });

  test("the start within the ball does not depend on the draw", () => {
    const share = ({ adversarial, epsilon }: Starts): readonly number[] =>
      [...adversarial].map((x, i) => (x - clean[i]!) / epsilon[Math.floor(i / length)]!);
    const [constant, drawn] = [startsOf({ epsilon: 0.1 }), startsOf({ epsilon: 0.1, epsilonDraw: "uniform" })];
    share(drawn).forEach((value, i) => void expect(value).toBeCloseTo(share(constant)[i]!, 3));
  });
});
