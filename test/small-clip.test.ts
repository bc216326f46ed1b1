import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPVisionModelWithProjection, env, pipeline, RawImage, Tensor } from "@huggingface/transformers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { balancedSubset, openBatches, openSource, synthetic } from "../src/data/index.ts";
import { Graph } from "../src/graph/index.ts";
import { evaluate } from "../src/measure/accuracy/index.ts";
import { frozenWeights } from "../src/models/encoder.ts";
import { type Encoder, loadEncoder, saveEncoder } from "../src/models/index.ts";
import { compile } from "../src/runtime/index.ts";
import { describeWithData, sharedData } from "./shared.ts";

const asset = (name: string): string => fileURLToPath(new URL(`../assets/${name}`, import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lore-small-clip-"));
  env.allowRemoteModels = false;
});
afterAll(() => rmSync(folder, { recursive: true }));

async function embed(encoder: Encoder, pixels: Float32Array, batch: number): Promise<Float32Array> {
  const g = new Graph();
  const input = g.input("pixels", "float32", [batch, 3, encoder.imageSize, encoder.imageSize]);
  const program = await compile({ embedding: encoder.embed(input, frozenWeights(g, encoder.parameters)) });
  const { embedding } = await program.run({ pixels });
  await program.dispose();
  return embedding as Float32Array;
}

test("the shapes model names pairs of colour and shape, also pairs that training never showed", async () => {
  const encoder = await loadEncoder(asset("clip-shapes"));
  const accuracy = async (split: "test" | "heldout") => {
    const source = synthetic({ count: 200, split, label: "colour-shape", seed: 7 });
    return (await evaluate(encoder, source, { cache: join(folder, "cache") })).clean;
  };
  // 64 pairs: guessing gives 0.016. Of 1000 images it names 0.94 and 0.34; 200 images err by 0.02 and 0.035.
  expect(await accuracy("test")).toBeGreaterThan(0.88);
  expect(await accuracy("heldout")).toBeGreaterThan(0.23);
});

test("transformers.js gives the same embeddings and the same names", async () => {
  const encoder = await loadEncoder(asset("clip-cifar10"));
  const saved = join(folder, "saved");
  saveEncoder(encoder, saved);
  const source = synthetic({ count: 6, split: "test" });
  const order = balancedSubset(source, 6, 0);
  let pixels = new Float32Array();
  for await (const images of openBatches(source, { size: 32, batch: 6, order }))
    pixels = Float32Array.from(images.pixels);
  const ours = await embed(encoder, pixels, 6);

  const model = await CLIPVisionModelWithProjection.from_pretrained(saved, { dtype: "fp32" });
  const { mean, std } = encoder.normalization;
  const normalized = pixels.map((x, i) => {
    const channel = Math.floor(i / 1024) % 3;
    return (x - mean[channel]!) / std[channel]!;
  });
  const { image_embeds: theirs } = await model({ pixel_values: new Tensor("float32", normalized, [6, 3, 32, 32]) });
  const largest = ours.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  for (const [i, value] of ours.entries())
    expect(Math.abs((theirs.data[i] as number) - value) / largest).toBeLessThan(1e-4);

  const classify = await pipeline("zero-shot-image-classification", saved, { dtype: "fp32" });
  const names = ["airplane", "bird", "frog"];
  const texts = await encoder.text!.embed(names.map((name) => `a photo of a ${name}.`));
  const rgb = Uint8ClampedArray.from({ length: 3072 }, (_, i) =>
    Math.round(255 * pixels[(i % 3) * 1024 + Math.floor(i / 3)]!),
  );
  const answers = await classify(new RawImage(rgb, 32, 32, 3), names, { hypothesis_template: "a photo of a {}." });
  const wanted = scores(ours.subarray(0, 128), texts, encoder.text!.logitScale);
  for (const { label, score } of answers as { label: string; score: number }[]) {
    // A probability of logits up to 100 times a cosine: rounding of 1e-6 there is 1e-4 here.
    expect(Math.abs(score - wanted[names.indexOf(label)]!)).toBeLessThan(1e-3);
  }
});

/** Softmax over texts of scale times cosine. */
function scores(image: Float32Array, texts: Float32Array, scale: number): number[] {
  const unit = (v: Float32Array): Float32Array => v.map((x) => x / Math.hypot(...v));
  const own = unit(image);
  const logits = Array.from({ length: texts.length / image.length }, (_, t) => {
    const text = unit(texts.subarray(t * image.length, (t + 1) * image.length));
    return scale * own.reduce((sum, x, d) => sum + x * text[d]!, 0);
  });
  const exps = logits.map((x) => Math.exp(x - Math.max(...logits)));
  const sum = exps.reduce((a, b) => a + b);
  return exps.map((x) => x / sum);
}

describeWithData("the CIFAR-10 model", () => {
  test("names test images by its text tower", async () => {
    const encoder = await loadEncoder(asset("clip-cifar10"));
    const source = await openSource(join(sharedData, "cifar10-wds", "test"));
    const { clean, classes } = await evaluate(encoder, source, { limit: 500, cache: join(folder, "cache") });
    expect(classes).toBe(10);
    expect(clean).toBeGreaterThan(0.65);
  });
});
