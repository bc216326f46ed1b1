import { describe, expect, test } from "vitest";
import { lossGraph, misclassification, pgd, planOf, runSearches } from "../attacks/index.ts";
import { Graph } from "../graph/index.ts";
import { classify } from "../models/classifier.ts";
import { type CosineClassifier, frozenWeights, type Parameters } from "../models/index.ts";
import { type Objective, type TecoaConstraint, tecoa } from "../objectives/index.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { oneSize } from "../testing/one-size.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import type { StepOptions } from "./step/options.ts";
import { TrainingStep } from "./step/training-step.ts";

const encoder = tinyEncoder();
const epsilon = 4 / 255;
const classes = 3;
const length = 3 * 8 * 8;
/** Each class is one pattern, faint in noise of the same strength. */
const patterns = Array.from({ length: classes }, (_, c) => {
  const random = randomStream("tecoa pattern", c);
  return Array.from({ length }, () => random.normal());
});

function labelledImages(
  count: number,
  seed: number | string,
): { readonly pixels: Float32Array; readonly labels: Int32Array } {
  const random = randomStream("tecoa images", seed);
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  const pixels = Float32Array.from({ length: count * length }, (_, i) => {
    const pattern = patterns[labels[Math.floor(i / length)]!]!;
    return Math.min(Math.max(0.5 + 0.08 * (pattern[i % length]! + random.normal()), 0), 1);
  });
  return { pixels, labels };
}

/**
 * The original knows the classes: each one's embedding is the mean of its images', less what all share. So it is right on
 * clean images, and an attack has something to break.
 */
const classifier = await classifierOf(labelledImages(30, "classifier"));

async function classifierOf({ pixels, labels }: ReturnType<typeof labelledImages>): Promise<CosineClassifier> {
  const g = new Graph();
  const x = g.input("x", "float32", [labels.length, 3, 8, 8]);
  const program = await compile({ z: encoder.embed(x, frozenWeights(g, encoder.parameters)) }, { threads: 1 });
  const z = (await program.run({ x: pixels })).z as Float32Array;
  await program.dispose();
  const size = encoder.embeddingSize;
  const rows = Array.from({ length: classes }, (_, c) =>
    Array.from({ length: size }, (_, d) =>
      labels.reduce((sum, label, i) => sum + z[i * size + d]! * (label === c ? 1 : -1 / (classes - 1)), 0),
    ),
  );
  const data = Float32Array.from(rows.flatMap((row) => row.map((value) => value / Math.hypot(...row))));
  return { kind: "cosine", weight: { dtype: "float32", shape: [classes, size], data }, scale: 10 };
}

const dual = { kind: "network", hidden: 16, initial: 1, learningRate: 1e-2 } as const;
const constraints: readonly (readonly [string, TecoaConstraint | undefined])[] = [
  ["alone", undefined],
  ["squared l2", { divergence: "embedding", dual, margin: { kind: "relative", rho: 0.1, exponent: 2 } }],
  ["KL", { divergence: "classes", dual, margin: { kind: "entropy", rho: 1 } }],
];
const objectiveOf = (constraint: TecoaConstraint | undefined, attack = { steps: 3 }): Objective =>
  tecoa({ epsilon, classifier, attack, ...(constraint && { constraint }) });

const create = (objective: Objective, options: Partial<StepOptions> = {}): Promise<TrainingStep> =>
  TrainingStep.create(encoder, objective, { microBatch: 6, weightDecay: 1e-4, seed: 0, threads: 1, ...options });

/** Steps on a fresh batch each. */
async function train(objective: Objective, steps: number) {
  const step = await create(objective, { microBatch: 24 });
  const results = [];
  for (let i = 0; i < steps; i++) {
    const { pixels, labels } = labelledImages(24, i);
    results.push(await step.run(pixels, ["key", i], () => 3e-3, labels));
  }
  await step.dispose();
  return { first: results[0]!, last: results.at(-1)!, parameters: step.parameters };
}

/** Share of new images that the classifier gets right under PGD. */
async function robustAccuracy(parameters: Parameters): Promise<number> {
  const { pixels: clean, labels } = labelledImages(60, "test");
  const attack = pgd({ epsilon, steps: 10 });
  const target = misclassification((x) => classify(encoder.embed(x, frozenWeights(x.graph, parameters)), classifier));
  const program = await compile(lossGraph({ batch: 20, imageSize: encoder.imageSize, gradient: true }, target), {
    threads: 1,
  });
  const count = labels.length;
  const rows = { labels: BigInt64Array.from(labels, BigInt) };
  const keys = Array.from(labels, (_, i) => i);
  const { success } = await runSearches(oneSize(program), planOf(attack, { clean, count, keys, seed: 0 }), {
    clean,
    count,
    rows,
  });
  await program.dispose();
  return success.filter((broken) => !broken).length / count;
}

describe("training with labels", () => {
  test.each(constraints)(
    "%s: the adversarial loss falls, robust accuracy on other images rises",
    async (_, constraint) => {
      const { first, last, parameters } = await train(objectiveOf(constraint), 40);
      expect(last.advLoss).toBeLessThan(0.5 * first.advLoss!);
      const [before, after] = [await robustAccuracy(encoder.parameters), await robustAccuracy(parameters)];
      expect(after).toBeGreaterThan(before + 0.3);
      if (!constraint) return;
      // Without force, the same constraint only measures.
      const free = (await train(objectiveOf({ ...constraint, dual: { kind: "constant", value: 0 } }), 40)).last;
      expect(last.cleanDistance).toBeLessThan(0.6 * free.cleanDistance!);
      expect(last.advLoss).toBeGreaterThan(free.advLoss!);
    },
  );

  test("metrics: at the start no divergence, and thresholds in its unit", async () => {
    const { pixels, labels } = labelledImages(6, 0);
    const shown = async (constraint: TecoaConstraint | undefined) => {
      const step = await create(objectiveOf(constraint));
      const result = await step.run(pixels, ["key"], () => 1e-3, labels);
      await step.dispose();
      return result;
    };
    const [alone, embedding, kl] = [
      await shown(undefined),
      await shown({ divergence: "embedding", dual }),
      await shown({ divergence: "classes", dual }),
    ];
    for (const { cleanDistance } of [alone, embedding, kl]) expect(Math.abs(cleanDistance!)).toBeLessThan(1e-5);
    expect(alone).not.toHaveProperty("threshold");
    expect(alone.loss).toBeCloseTo(alone.advLoss!, 5);
    expect(embedding.advLoss).toBe(alone.advLoss);
    expect(embedding.advDistance).toBe(alone.advDistance);
    expect(kl.advLoss).toBe(alone.advLoss);
    expect(kl.advDistance).not.toBe(alone.advDistance);
    expect(kl.threshold).toBeGreaterThan(0);
    expect(kl.threshold).toBeLessThan(0.1 * Math.log(classes));
  });

  test.each(constraints)("%s: micro-batches give the result of the whole batch", async (_, constraint) => {
    const { pixels, labels } = labelledImages(5, 0);
    const steps = [await create(objectiveOf(constraint)), await create(objectiveOf(constraint), { microBatch: 2 })];
    const results = [];
    for (const step of steps) {
      await step.run(pixels, ["one"], () => 1e-3, labels);
      results.push(await step.run(pixels, ["two"], () => 1e-3, labels));
    }
    // Sums in another order, and AdamW's division makes much of the little gradients; logits have a scale of 10.
    for (const [name, wanted] of Object.entries(results[0]!)) {
      const got = results[1]![name as keyof (typeof results)[0]]!;
      expect(Math.abs(got - wanted), name).toBeLessThan(2e-3 * Math.max(Math.abs(wanted), 0.1));
    }
    for (const step of steps) await step.dispose();
  });

  test("an image's label decides its loss; without labels there is no step", async () => {
    const { pixels, labels } = labelledImages(6, 0);
    const step = await create(objectiveOf(undefined));
    const { advLoss: right } = await step.run(pixels, ["key"], () => 0, labels);
    const wrong = await step.run(
      pixels,
      ["key"],
      () => 0,
      labels.map((label) => (label + 1) % classes),
    );
    expect(wrong.advLoss).not.toBeCloseTo(right!, 2);
    await expect(step.run(pixels, ["key"], () => 0)).rejects.toThrow(/labels.*missing/);
    await step.dispose();
  });
});
