import { describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { fare, lore, type Objective, robust, tecoa } from "../../objectives/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { randomImages, tinyEncoder } from "../../testing/tiny.ts";
import { NonFiniteError } from "../non-finite.ts";
import type { StepOptions } from "../step/options.ts";
import { TrainingStep } from "../step/training-step.ts";
import { type LearnerKind, usualLearner } from "./create.ts";

const encoder = tinyEncoder();
const epsilon = 8 / 255;
const pixels = randomImages(5);
const labels = Int32Array.of(0, 3, 7, 1, 2);
const attack = { steps: 3 };
const dual = { kind: "network", hidden: 16, initial: Math.LN2, learningRate: 1e-2 } as const;
const objectives: Readonly<Record<string, Objective>> = {
  "FARE with momentum": fare({ epsilon, attack: { ...attack, momentum: 0.9 } }),
  "the recipe, with a constraint and sizes drawn": robust({
    epsilon,
    attack: { epsilonDraw: "sqrt" },
    constraint: { dual },
  }),
  "LORE, K = 3": lore({ epsilon, stepsPerBatch: 3, attack, dual }),
  "TeCoA with KL": tecoa({ epsilon, attack, classifier: encoder.head!, constraint: { divergence: "classes", dual } }),
};
const rates = () => 1e-3;

/** A step with any kind of learner on the CPU, whose binding gives a device's tensors out in host memory. */
function create(objective: Objective, kind: LearnerKind, options: Partial<StepOptions> = {}): Promise<TrainingStep> {
  const usual = { microBatch: 5, weightDecay: 1e-2, seed: 0, threads: 1 };
  return TrainingStep.create(encoder, objective, { ...usual, ...options }, kind);
}

const oneProgram = "host, one program a batch";

const copied = (state: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> =>
  new Map([...state].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]));

/**
 * Largest difference of two states' elements, relative to the largest element of their tensor. Keys' biases stay out:
 * softmax ignores them, and AdamW turns the rounding noise of their gradient into steps of full size.
 */
function distance(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): number {
  expect([...b.keys()]).toEqual([...a.keys()]);
  const perTensor = [...a].map(([name, { data }]) => {
    const third = name.endsWith("qkv.bias") ? data.length / 3 : Infinity;
    const numbers = (all: Tensor["data"]) => [...all].map(Number).filter((_, i) => i < third || i >= 2 * third);
    const [x, y] = [numbers(data), numbers(b.get(name)!.data)];
    const largest = Math.max(...x.map(Math.abs));
    return Math.max(...x.map((value, i) => Math.abs(value - y[i]!))) / (largest || 1);
  });
  return Math.max(...perTensor);
}

describe.each([
  { kind: "device", microBatches: [5, 2] },
  // Five images in a part of eight: three places are padding.
  { kind: oneProgram, microBatches: [5, 8] },
] as const)("a learner: $kind", ({ kind, microBatches }) => {
  // All run the same nodes on the gradient's side: only AdamW adds up the gradient's norm in another order. An attack's
  // step doubles the difference where it turns a pixel's sign.
  test.each(Object.entries(objectives))("%s: the host's weights and metrics", async (_, objective) => {
    for (const microBatch of microBatches) {
      const [host, other] = [
        await create(objective, "host", { microBatch }),
        await create(objective, kind, { microBatch }),
      ];
      for (const key of ["first", "second"]) {
        const wanted = await host.run(pixels, [key], rates, labels);
        const got = await other.run(pixels, [key], rates, labels);
        expect(Object.keys(got)).toEqual(Object.keys(wanted));
        for (const [name, value] of Object.entries(wanted))
          expect(Math.abs(got[name as keyof typeof got]! - value), name).toBeLessThan(1e-4 * Math.abs(value) + 1e-7);
      }
      await other.pull();
      expect(distance(host.state(), other.state())).toBeLessThan(1e-4);
      await host.dispose();
      await other.dispose();
    }
  });

  test("clips the gradient to the limit", async () => {
    const [host, other] = [
      await create(objectives["LORE, K = 3"]!, "host", { clipGradient: 0.01 }),
      await create(objectives["LORE, K = 3"]!, kind, { clipGradient: 0.01 }),
    ];
    for (const step of [host, other]) await step.run(pixels, ["key"], rates);
    await other.pull();
    expect(distance(host.state(), other.state())).toBeLessThan(1e-4);
    await host.dispose();
    await other.dispose();
  });

  test("goes on from a restored state, its own and the host's", async () => {
    const objective = objectives["LORE, K = 3"]!;
    const steps = [await create(objective, kind), await create(objective, kind), await create(objective, "host")];
    const [one, other, host] = steps as [TrainingStep, TrainingStep, TrainingStep];
    await one.run(pixels, ["first"], rates);
    await one.pull();
    for (const step of [other, host]) step.restore(copied(one.state()));
    for (const step of steps) {
      await step.run(pixels, ["second"], rates);
      await step.pull();
    }
    expect(distance(one.state(), other.state())).toBe(0);
    expect(distance(one.state(), host.state())).toBeLessThan(1e-4);
    for (const step of steps) await step.dispose();
  });

  test("keeps the weights of before a gradient that is not finite", async () => {
    const step = await create(objectives["FARE with momentum"]!, kind);
    await step.run(pixels, ["key"], rates);
    await step.pull();
    const before = copied(step.state());
    before.get("theta.norm.bias")!.data[0] = Number.NaN;
    step.restore(before);
    await expect(step.run(pixels, ["key"], rates)).rejects.toThrow(NonFiniteError);
    await step.pull();
    expect(step.state()).toEqual(before);
    await step.dispose();
  });

  test("refuses an attack that needs its images in host memory between steps", async () => {
    const creating = create(fare({ epsilon, attack: { ...attack, schedule: "apgd" } }), kind);
    await expect(creating).rejects.toThrow(UsageError);
    await expect(creating).rejects.toThrow(/APGD schedule/);
  });
});

test("one program a batch takes a batch of one part", async () => {
  const step = await create(objectives["LORE, K = 3"]!, oneProgram, { microBatch: 2 });
  await expect(step.run(pixels, ["key"], rates)).rejects.toThrow(RangeError);
  await step.dispose();
});

test("a device's learner: its own memory where the binding can name it, else as few crossings as the parts allow", () => {
  const options = { weightDecay: 0, seed: 0, microBatch: 8 };
  expect(usualLearner(options)).toBe("host");
  expect(usualLearner({ ...options, device: "webgpu", batch: 8 })).toBe("device");
  expect(usualLearner({ ...options, device: "cuda", batch: 8 })).toBe(oneProgram);
  expect(usualLearner({ ...options, device: "cuda", batch: 9 })).toBe("host");
  expect(usualLearner({ ...options, device: "cuda" })).toBe("host");
});
