import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { ascentGraph, crossEntropy, misclassified, pgd, squaredDistance } from "../src/attacks/index.ts";
import { gradients } from "../src/autodiff/index.ts";
import { Graph, type Value } from "../src/graph/index.ts";
import { classify, pickRows } from "../src/models/classifier.ts";
import { cloneParameters, frozenWeights } from "../src/models/encoder.ts";
import { type Encoder, loadEncoder } from "../src/models/index.ts";
import { dualGraph, gradientName, paperDual, primalGraph, thresholds } from "../src/objectives/index.ts";
import { compile } from "../src/runtime/index.ts";
import { decodeSafetensors } from "../src/safetensors.ts";
import { allocate, type Tensor } from "../src/tensor/tensor.ts";
import { AdamW } from "../src/training/adamw/adamw.ts";
import { describeWithData, sharedData } from "./shared.ts";

/*
 * Against an independent float64 implementation. Tolerances are those that its float32 twin meets: 1e-4 relative for
 * embeddings, losses and gradient norms, 1e-3 for single gradient elements, small losses and losses after AdamW steps,
 * 2e-3 for norms of AdamW updates, 3 % for the loss after ten PGD steps, where signs of tiny gradients flip.
 */
const weightsFile = join(sharedData, "deit-tiny", "model.safetensors");

const relative = (got: number, wanted: number): number => Math.abs(got - wanted) / Math.max(Math.abs(wanted), 1e-12);
function expectClose(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  expect(got.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++)
    expect(relative(got[i]!, wanted[i]!), `element ${i}: ${got[i]} for ${wanted[i]}`).toBeLessThan(tolerance);
}
const norm = (values: ArrayLike<number>): number => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
/** Largest difference over the tensor, relative to the wanted tensor's norm per element. */
function expectTensorClose(got: Float32Array, wanted: Float32Array, tolerance: number): void {
  expect(norm(got.map((x, i) => x - wanted[i]!)) / norm(wanted)).toBeLessThan(tolerance);
}

describeWithData("DeiT-Tiny at 224 pixels", () => {
  interface Fixture {
    readonly feature: readonly number[];
    readonly logits_first8: readonly number[];
    readonly images: readonly { readonly file: string; readonly top5: readonly (readonly [number, number])[] }[];
  }
  test("features and logits of the reference input", async () => {
    const fixture = JSON.parse(
      readFileSync(join(sharedData, "fixtures", "deit-tiny-fixtures.json"), "utf8"),
    ) as Fixture;
    const encoder = await loadEncoder(weightsFile);
    const g = new Graph();
    const input = g.input("input", "float32", [1, 3, 224, 224]);
    const embedding = encoder.embedNormalized(input, frozenWeights(g, encoder.parameters));
    const program = await compile({ embedding, logits: classify(embedding, encoder.head!) });
    const x = Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => Math.sin(0.37 * i));
    const result = await program.run({ input: x });
    // Elements near zero carry the whole vector's rounding: absolute 1e-4 on values of order 1.
    for (const [i, wanted] of fixture.feature.entries()) expect(result.embedding[i]).toBeCloseTo(wanted, 4);
    for (const [i, wanted] of fixture.logits_first8.entries()) expect(result.logits[i]).toBeCloseTo(wanted, 4);
    await program.dispose();
  });
});

describeWithData("DeiT-Tiny at 96 pixels", () => {
  interface Primal {
    readonly loss: number;
    readonly adv: number[];
    readonly clean: number[];
    readonly rho_m: number[];
  }
  interface Golden {
    readonly phi0_norm: number[];
    readonly phi0_normsq: number[];
    readonly fare_theta0: { loss: number; per_image: number[]; input_grad_norm: number };
    readonly fare_theta1: { loss: number; per_image: number[]; input_grad_norm: number; input_grad_l1: number };
    readonly ce50: {
      labels: number[];
      logits_first8: number[];
      ce: number[];
      argmax: number[];
      input_grad_norm_of_sum: number;
    };
    readonly lore_primal_sq: Primal;
    readonly lore_primal_norm: Primal;
    readonly lore_grad_norm_all: Record<string, number>;
    readonly adamw_step1: { theta_norm: Record<string, number>; update_norm: Record<string, number> };
    readonly adamw_loss_before_step_1_2_3_and_after_3: number[];
    readonly dual: {
      violation: number[];
      lam: number[];
      loss: number;
      grad_norm: Record<string, number>;
      "lam_after_one_adam_ascent_lr5e-4": number[];
    };
    readonly pgd10_theta0_from_half_eps_pattern: { mean_loss_after_n_steps: number[] };
    readonly pgd10_theta1_from_zero: { mean_loss_after_n_steps: number[] };
  }
  const size = 96;
  let golden: Golden;
  let lam: number[];
  let tensors: ReadonlyMap<string, Tensor>;
  let theta0: Encoder;
  let theta1: Encoder;
  let clean: Float32Array;
  let adversarial: Float32Array;
  const epsilon = 2 / 255;

  beforeAll(async () => {
    const file = join(sharedData, "fixtures", "deit-tiny-lore-parity-96");
    const json = JSON.parse(readFileSync(`${file}.json`, "utf8")) as { golden: Golden; lam: number[] };
    golden = json.golden;
    lam = json.lam;
    tensors = decodeSafetensors(readFileSync(`${file}.safetensors`)).tensors;
    theta0 = await loadEncoder(weightsFile, { imageSize: size });
    theta1 = theta0.withParameters(
      new Map(
        [...theta0.parameters].map(([name, tensor]) => [
          name,
          { ...tensor, data: tensor.data.map((p, i) => p * (1 + 0.05 * Math.sin(i))) },
        ]),
      ),
    );
    const bytes = tensors.get("images_u8")!.data as Uint8Array;
    clean = new Float32Array(4 * 3 * size * size);
    adversarial = new Float32Array(clean.length);
    clean.forEach((_, i) => {
      const [n, c, row, column] = [
        Math.floor(i / (3 * size * size)),
        Math.floor(i / (size * size)) % 3,
        Math.floor(i / size) % size,
        i % size,
      ];
      clean[i] = bytes[((n * size + row) * size + column) * 3 + c]! / 255;
      const sign = (c + Math.floor(row / 4) + Math.floor(column / 4)) % 2 === 0 ? 1 : -1;
      adversarial[i] = Math.min(Math.max(clean[i]! + 0.5 * epsilon * sign, 0), 1);
    });
  });

  async function original(encoder: Encoder): Promise<Float32Array> {
    const g = new Graph();
    const x = g.input("x", "float32", [4, 3, size, size]);
    const program = await compile({ z: encoder.embed(x, frozenWeights(g, encoder.parameters)) });
    const z = ((await program.run({ x: clean })).z as Float32Array).slice();
    await program.dispose();
    return z;
  }

  test("positions interpolated to 6 x 6", () => {
    expectTensorClose(theta0.parameters.get("pos_embed")!.data, tensors.get("pos_embed")!.data as Float32Array, 1e-6);
  });

  test("embeddings and their norms", async () => {
    const z0 = await original(theta0);
    expectTensorClose(z0, tensors.get("phi_theta0")!.data as Float32Array, 1e-4);
    expectTensorClose(await original(theta1), tensors.get("phi_theta1")!.data as Float32Array, 1e-4);
    expectClose(thresholds({ kind: "relative", rho: 1, exponent: 2 }, z0, 192), golden.phi0_normsq, 1e-4);
    expectClose(thresholds({ kind: "relative", rho: 1, exponent: 1 }, z0, 192), golden.phi0_norm, 1e-4);
  });

  async function embeddingLoss(encoder: Encoder) {
    const g = new Graph();
    const x = g.input("x", "float32", [4, 3, size, size]);
    const z0 = g.input("z0", "float32", [4, 192]);
    const perImage = squaredDistance(encoder.embed(x, frozenWeights(g, encoder.parameters)), z0);
    const [dx] = gradients(g.reduceMean(perImage), [x]);
    const program = await compile({ perImage, dx: dx! });
    const result = await program.run({ x: adversarial, z0: await original(theta0) });
    await program.dispose();
    return { perImage: result.perImage as Float32Array, dx: result.dx as Float32Array };
  }

  test("FARE's loss and image gradient at the original weights", async () => {
    const { perImage, dx } = await embeddingLoss(theta0);
    expectClose(perImage, golden.fare_theta0.per_image, 1e-3);
    expect(relative(norm(dx), golden.fare_theta0.input_grad_norm)).toBeLessThan(1e-3);
    expectTensorClose(dx, tensors.get("fare_input_grad_theta0")!.data as Float32Array, 1e-3);
  });

  test("FARE's loss and image gradient at moved weights", async () => {
    const { perImage, dx } = await embeddingLoss(theta1);
    expectClose(perImage, golden.fare_theta1.per_image, 1e-4);
    expect(relative(norm(dx), golden.fare_theta1.input_grad_norm)).toBeLessThan(1e-4);
    expectTensorClose(dx, tensors.get("fare_input_grad_theta1")!.data as Float32Array, 1e-3);
  });

  test("cross-entropy over the 50 classes", async () => {
    const classes = (
      JSON.parse(readFileSync(join(sharedData, "tiny-imagenet-50", "classes.json"), "utf8")) as {
        imagenetIndex: number;
      }[]
    ).map((c) => c.imagenetIndex);
    const g = new Graph();
    const x = g.input("x", "float32", [4, 3, size, size]);
    const labels = g.input("labels", "int64", [4]);
    const logits = classify(theta0.embed(x, frozenWeights(g, theta0.parameters)), pickRows(theta0.head!, classes));
    const ce = crossEntropy(logits, labels);
    const [dx] = gradients(g.reduceSum(ce), [x]);
    const program = await compile({ logits, ce, dx: dx!, wrong: misclassified(logits, labels) });
    const result = await program.run({ x: clean, labels: BigInt64Array.from(golden.ce50.labels, BigInt) });
    expectClose((result.logits as Float32Array).slice(0, 8), golden.ce50.logits_first8, 1e-4);
    expectClose(result.ce as Float32Array, golden.ce50.ce, 1e-4);
    expect(relative(norm(result.dx as Float32Array), golden.ce50.input_grad_norm_of_sum)).toBeLessThan(1e-4);
    expect([...(result.wrong as Uint8Array)]).toEqual(
      golden.ce50.argmax.map((c, i) => (c === golden.ce50.labels[i] ? 0 : 1)),
    );
    await program.dispose();
  });

  test("LORE's primal loss, parameter gradients and three AdamW steps", async () => {
    const z0 = await original(theta0);
    const program = await compile(primalGraph(theta0, 4, true));
    const parameters = cloneParameters(theta1.parameters);
    const run = (exponent: number) =>
      program.run({
        ...Object.fromEntries([...parameters].map(([name, { data }]) => [name, data])),
        adversarial,
        clean,
        original: z0,
        share: new Float32Array(4).fill(0.25),
        lambda: Float32Array.from(lam),
        threshold: thresholds({ kind: "relative", rho: 0.1, exponent }, z0, 192),
      });
    const first = (values: unknown): number => (values as Float32Array)[0]!;
    expect(relative(first((await run(1)).loss), golden.lore_primal_norm.loss)).toBeLessThan(1e-4);
    let result = await run(2);
    expect(relative(first(result.loss), golden.lore_primal_sq.loss)).toBeLessThan(1e-4);
    expectClose(result.advDistance as Float32Array, golden.lore_primal_sq.adv, 1e-4);
    expectClose(result.cleanDistance as Float32Array, golden.lore_primal_sq.clean, 1e-4);
    for (const [name, wanted] of Object.entries(golden.lore_grad_norm_all)) {
      expect(relative(norm(result[gradientName(name)] as Float32Array), wanted), name).toBeLessThan(1e-4);
    }
    for (const [name, { data }] of tensors) {
      if (name.startsWith("lore_grad/"))
        expectTensorClose(result[gradientName(name.slice(10))] as Float32Array, data as Float32Array, 1e-3);
    }
    const optimizer = new AdamW(parameters, { weightDecay: 1e-4 });
    for (const [step, wanted] of golden.adamw_loss_before_step_1_2_3_and_after_3.entries()) {
      expect(relative(first(result.loss), wanted)).toBeLessThan(1e-3);
      optimizer.step(parameters, (name) => result[gradientName(name)] as Float32Array, 1e-4);
      if (step === 0) {
        for (const [name, wantedNorm] of Object.entries(golden.adamw_step1.update_norm)) {
          const before = theta1.parameters.get(name)!.data;
          const after = parameters.get(name)!.data;
          expect(relative(norm(after), golden.adamw_step1.theta_norm[name]!), name).toBeLessThan(1e-4);
          expect(relative(norm(after.map((p, i) => p - before[i]!)), wantedNorm), name).toBeLessThan(2e-3);
        }
      }
      result = await run(2);
    }
    await program.dispose();
  });

  test("the dual network: multipliers, gradients and one Adam ascent step", async () => {
    // The fixture's weights: fc1 = 0.05 sin(i + 1), fc2 = 0.05 cos(i), i the flat index; biases zero; ReLU between.
    const tensor = (shape: readonly number[], value: (i: number) => number) =>
      ({ dtype: "float32", shape, data: allocate("float32", shape).map((_, i) => value(i)) }) as const;
    const omega = new Map([
      ["fc1.weight", tensor([512, 192], (i) => 0.05 * Math.sin(i + 1))],
      ["fc1.bias", tensor([512], () => 0)],
      ["fc2.weight", tensor([1, 512], (i) => 0.05 * Math.cos(i))],
      ["fc2.bias", tensor([1], () => 0)],
    ]);
    const program = await compile(dualGraph(paperDual, 4, omega, 192));
    const z0 = await original(theta0);
    const run = () =>
      program.run({
        ...Object.fromEntries([...omega].map(([name, { data }]) => [name, data])),
        original: z0,
        violation: Float32Array.from(golden.dual.violation),
        share: new Float32Array(4).fill(0.25),
      });
    const result = await run();
    expectClose(result.lambda as Float32Array, golden.dual.lam, 1e-4);
    expectClose(result.dualLoss as Float32Array, [golden.dual.loss], 1e-4);
    for (const [name, wanted] of Object.entries(golden.dual.grad_norm)) {
      expect(relative(norm(result[gradientName(name)] as Float32Array), wanted), name).toBeLessThan(1e-4);
    }
    const adam = new AdamW(omega, { weightDecay: 0 });
    adam.step(omega, (name) => result[gradientName(name)] as Float32Array, 5e-4, -1);
    expectClose((await run()).lambda as Float32Array, golden.dual["lam_after_one_adam_ascent_lr5e-4"], 1e-4);
    await program.dispose();
  });

  test("ten PGD steps", async () => {
    const z0 = await original(theta0);
    const attack = pgd({ epsilon, steps: 1, start: "zero" });
    for (const [encoder, start, wanted] of [
      [theta0, adversarial, golden.pgd10_theta0_from_half_eps_pattern],
      [theta1, clean, golden.pgd10_theta1_from_zero],
    ] as const) {
      const graph = ascentGraph({ batch: 4, imageSize: size, norm: "linf", momentum: false }, (pixels: Value) => ({
        loss: squaredDistance(
          encoder.embed(pixels, frozenWeights(pixels.graph, encoder.parameters)),
          pixels.graph.input("z0", "float32", [4, 192]),
        ),
      }));
      const program = await compile(graph);
      let now = start.slice();
      for (const wantedLoss of wanted.mean_loss_after_n_steps) {
        const result = await program.run({
          adversarial: now,
          clean,
          z0,
          epsilon: new Float32Array(4).fill(attack.epsilon),
          stepSize: new Float32Array(4).fill(attack.stepSize),
        });
        const loss = (result.loss as Float32Array).reduce((sum, x) => sum + x, 0) / 4;
        expect(relative(loss, wantedLoss)).toBeLessThan(0.03);
        now = (result.next as Float32Array).slice();
      }
      await program.dispose();
    }
  });
});
