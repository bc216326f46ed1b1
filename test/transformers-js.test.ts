import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AutoModel,
  AutoProcessor,
  AutoTokenizer,
  CLIPTextModelWithProjection,
  CLIPVisionModelWithProjection,
  env,
  type PreTrainedModel,
  type PreTrainedTokenizer,
  type Processor,
  pipeline,
  RawImage,
  Tensor,
  type ZeroShotImageClassificationPipeline,
} from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { preprocess } from "../src/data/preprocess.ts";
import { usualFraming } from "../src/framing.ts";
import { Graph } from "../src/graph/index.ts";
import { classify as logitsOf } from "../src/models/classifier.ts";
import { type Encoder, frozenWeights, loadEncoder, saveEncoder, saveFloat16Copies } from "../src/models/index.ts";
import { OnnxText } from "../src/models/text/onnx-text.ts";
import { randomStream } from "../src/random.ts";
import { compile } from "../src/runtime/index.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/safetensors.ts";
import { layoutCases, tensorsOf, writeCase } from "../src/testing/pytorch-layouts.ts";
import { randomImages, tinyEncoder } from "../src/testing/tiny.ts";
import { tinyClip } from "../src/testing/tiny-clip.ts";

env.allowRemoteModels = false;

const base = mkdtempSync(join(tmpdir(), "lore-transformers-js-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
function saved(encoder: Encoder): string {
  // An encoder is called what its folder is.
  const folder = join(base, `${count++}`, encoder.name);
  saveEncoder(encoder, folder);
  return folder;
}

const session = { session_options: { intraOpNumThreads: 1 } };
const threads = { threads: 1 };
/** Both sides are float32 sums of a few dozen terms of order 1, in possibly another order. */
const rounding = 1e-5;

const clip = tinyClip();
const text = clip.text!;
const texts = [
  "a photo of a cat",
  "red",
  "",
  // 32 tokens; the context has 24. transformers.js cuts the end marker off.
  Array.from({ length: 6 }, () => "a photo of a cat").join(" "),
];

/** Embeddings of images [N, 3, S, S] of values in [0, 1], or normalised. */
async function embed(encoder: Encoder, images: Float32Array, kind: "pixels" | "normalized"): Promise<Float32Array> {
  const { imageSize: size, parameters } = encoder;
  const g = new Graph();
  const input = g.input("images", "float32", [images.length / (3 * size * size), 3, size, size]);
  const weights = frozenWeights(g, parameters);
  const embedding = kind === "pixels" ? encoder.embed(input, weights) : encoder.embedNormalized(input, weights);
  const program = await compile({ embedding }, threads);
  const result = (await program.run({ images })).embedding as Float32Array;
  await program.dispose();
  return result;
}

function largestDifference(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(got).toHaveLength(wanted.length);
  return Array.from(wanted, (value, i) => Math.abs(value - got[i]!)).reduce((a, b) => Math.max(a, b));
}

function image(width: number, height: number): RawImage {
  const random = randomStream("image", width);
  const data = new Uint8ClampedArray(width * height * 3).map(() => Math.floor(random.uniform(0, 256)));
  return new RawImage(data, width, height, 3);
}

/** An image as this library reads it: planes of values in [0, 1]. */
function ourPixels({ width, height, data }: RawImage, size: number): Float32Array {
  const cut = preprocess({ width, height, data: new Uint8Array(data) }, usualFraming(size)).data;
  const plane = size * size;
  return new Float32Array(3 * plane).map((_, i) => cut[(i % plane) * 3 + Math.floor(i / plane)]! / 255);
}

describe("a saved CLIP in transformers.js", () => {
  const folder = saved(clip);
  let tokenizer: PreTrainedTokenizer;
  let processor: Processor;
  beforeAll(async () => {
    tokenizer = await AutoTokenizer.from_pretrained(folder);
    processor = await AutoProcessor.from_pretrained(folder, {});
  });

  test("CLIPVisionModelWithProjection gives the image embeddings, for any batch", async () => {
    const model = await CLIPVisionModelWithProjection.from_pretrained(folder, session);
    for (const batch of [1, 3]) {
      const images = randomImages(batch, { low: -2, high: 2 });
      const { image_embeds: embeddings } = await model({
        pixel_values: new Tensor("float32", images, [batch, 3, 8, 8]),
      });
      expect(embeddings.dims).toEqual([batch, clip.embeddingSize]);
      expect(largestDifference(embeddings.data, await embed(clip, images, "normalized"))).toBeLessThan(rounding);
    }
    await model.dispose();
  });

  test("CLIPTextModelWithProjection gives the text embeddings: any batch and length, padded or cut", async () => {
    const model = await CLIPTextModelWithProjection.from_pretrained(folder, session);
    for (const some of [texts, texts.slice(0, 3), ["red"]]) {
      const { text_embeds: embeddings } = await model(tokenizer(some, { padding: true, truncation: true }));
      expect(embeddings.dims).toEqual([some.length, clip.embeddingSize]);
      expect(largestDifference(embeddings.data, await text.embed(some, threads))).toBeLessThan(rounding);
    }
    await model.dispose();
  });

  test("AutoProcessor gives the pixels that we give the encoder, where it need not resize", async () => {
    // Where it must, it does so without antialiasing, unlike Pillow, us, and what encoders are trained with.
    for (const picture of [image(8, 8), image(13, 8)]) {
      const { pixel_values: pixels } = await processor(picture);
      const { mean, std } = clip.normalization;
      const ours = ourPixels(picture, 8).map(
        (value, i) => (value - mean[Math.floor(i / 64)]!) / std[Math.floor(i / 64)]!,
      );
      expect(pixels.dims).toEqual([1, 3, 8, 8]);
      // A few roundings of float32 at values up to 2.
      expect(largestDifference(pixels.data, ours)).toBeLessThan(2e-6);
    }
  });

  test("the zero-shot pipeline gives softmax(logit scale cos)", async () => {
    const classify = (await pipeline(
      "zero-shot-image-classification",
      folder,
      session,
    )) as ZeroShotImageClassificationPipeline;
    const labels = ["cat", "red cat", "photo of a cat", "red"];
    const [picture, other] = [image(8, 8), image(13, 8)];
    const words = await text.embed(
      labels.map((label) => `a ${label}`),
      threads,
    );
    const results = await classify([picture, other], labels, { hypothesis_template: "a {}" });
    for (const [i, one] of [picture, other].entries()) {
      const embedding = await embed(clip, ourPixels(one, 8), "pixels");
      const logits = labels.map((_, j) => text.logitScale * cosine(embedding, words.subarray(10 * j, 10 * (j + 1))));
      const scores = softmax(logits);
      const theirs = results[i] as unknown as readonly { readonly label: string; readonly score: number }[];
      for (const { label, score } of theirs) {
        // Logits of order 50 carry float32's 6e-8 fifty times into a score.
        expect(Math.abs(score - scores[labels.indexOf(label)]!)).toBeLessThan(rounding);
      }
    }
    await classify.dispose();
  });

  test("the image-feature-extraction pipeline gives the embedding", async () => {
    const features = await pipeline("image-feature-extraction", folder, session);
    const picture = image(8, 8);
    const result = (await features(picture)) as Tensor;
    const ours = await embed(clip, ourPixels(picture, 8), "pixels");
    expect(largestDifference(result.data as Float32Array, ours)).toBeLessThan(rounding);
    await features.dispose();
  });

  test("with dtype fp16 it takes the float16 copy, whose embeddings are close", async () => {
    const copied = saved(clip);
    await saveFloat16Copies(copied, clip.imageSize);
    const model = await CLIPVisionModelWithProjection.from_pretrained(copied, { ...session, dtype: "fp16" });
    const images = randomImages(2, { low: -2, high: 2 });
    const { image_embeds: embeddings } = await model({ pixel_values: new Tensor("float32", images, [2, 3, 8, 8]) });
    const ours = await embed(clip, images, "normalized");
    const difference = largestDifference(embeddings.data, ours) / Math.max(...ours.map(Math.abs));
    // Some layers, each rounded to 11 bits (5e-4); in float32 it would be a hundredth of this.
    expect(difference).toBeLessThan(1e-2);
    expect(difference).toBeGreaterThan(1e-5);
    await model.dispose();
  });

  test("loaded again it is the same, and saved again every file is", async () => {
    const loaded = await loadEncoder(folder);
    expect(new Map(loaded.parameters)).toEqual(new Map(clip.parameters));
    expect(await loaded.text!.embed(texts, threads)).toEqual(await text.embed(texts, threads));
    // The scale lies in the file as its logarithm, in float32: only one that came from a file goes back to the bit.
    expect(loaded.text!.logitScale).toBeCloseTo(text.logitScale, 4);
    const copies = [saved(loaded), saved(await loadEncoder(saved(loaded)))] as const;
    for (const file of readdirSync(copies[0], { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath, file.name);
      expect(readFileSync(path.replace(...copies)).equals(readFileSync(path)), file.name).toBe(true);
    }
  });
});

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

function softmax(logits: readonly number[]): readonly number[] {
  const exps = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
  const sum = exps.reduce((a, b) => a + b);
  return exps.map((value) => value / sum);
}

async function loadedCase(title: string): Promise<Encoder> {
  const given = layoutCases.find((one) => one.title === title)!;
  const folder = join(base, `${count++}`);
  writeCase(folder, given, tensorsOf(given));
  return loadEncoder(join(folder, given.weights), given.options);
}

/** In a form that `toEqual` compares. */
const known = ({ layout, imageSize, parameters, head }: Encoder) => ({ layout, imageSize, parameters, head });

describe("a text tower that is an ONNX file", () => {
  /** The folder of a CLIP whose weights have no text tower. */
  function withoutTextWeights(keepScale: boolean): string {
    const folder = join(base, `${count++}`);
    cpSync(saved(clip), folder, { recursive: true });
    const path = join(folder, "model.safetensors");
    const kept = [...decodeSafetensors(readFileSync(path)).tensors].filter(
      ([name]) =>
        name.startsWith("vision_model.") ||
        name === "visual_projection.weight" ||
        (keepScale && name === "logit_scale"),
    );
    writeFileSync(path, encodeSafetensors(new Map(kept)));
    return folder;
  }

  test("embeds texts as the weights do, and is saved as it is", async () => {
    const wanted = await text.embed(texts, threads);
    let folder = withoutTextWeights(true);
    for (const _ of ["as made by hand", "as saved"]) {
      const loaded = await loadEncoder(folder);
      expect(loaded.text).toBeInstanceOf(OnnxText);
      expect(loaded.text!.logitScale).toBeCloseTo(50, 4);
      expect(loaded.text!.contextLength).toBe(24);
      expect(largestDifference(await loaded.text!.embed(texts, threads), wanted)).toBeLessThan(rounding);
      folder = saved(loaded);
    }
    const model = await CLIPTextModelWithProjection.from_pretrained(folder, session);
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    const { text_embeds: embeddings } = await model(tokenizer(texts, { padding: true, truncation: true }));
    expect(largestDifference(embeddings.data, wanted)).toBeLessThan(rounding);
    await model.dispose();
  });

  test.each(["open_clip, QuickGELU", "open_clip, ConvNeXt"])("%s: stands in for the weights' own", async (title) => {
    const whole = await loadedCase(title);
    const wanted = await whole.text!.embed(texts, threads);
    let folder = saved(whole);
    const path = join(folder, "open_clip_model.safetensors");
    const { tensors } = decodeSafetensors(readFileSync(path));
    const kept = [...tensors].filter(([name]) => name.startsWith("visual.") || name === "logit_scale");
    writeFileSync(path, encodeSafetensors(new Map(kept)));
    // Where a file of text weights does not tell, this does.
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as object;
    const text_config = { max_position_embeddings: whole.text!.contextLength };
    writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, text_config }));
    for (const _ of ["as made by hand", "as saved"]) {
      const loaded = await loadEncoder(folder);
      expect(loaded.text).toBeInstanceOf(OnnxText);
      expect(loaded.text!.logitScale).toBe(whole.text!.logitScale);
      expect(loaded.text!.contextLength).toBe(16);
      expect(known(loaded)).toEqual(known(whole));
      const got = await loaded.text!.embed(texts, threads);
      expect(largestDifference(got, wanted)).toBeLessThan(rounding * largest(wanted));
      folder = saved(loaded);
    }
  });

  test("the zero-shot pipeline gives the scores that it gives with the weights", async () => {
    const folder = saved(await loadEncoder(withoutTextWeights(true)));
    const labels = ["cat", "red cat", "photo of a cat", "red"];
    const [scores, wanted] = await Promise.all([folder, saved(clip)].map((from) => zeroShot(from, labels)));
    expect(scores).toHaveLength(labels.length);
    // Logits of order 50 carry float32's 6e-8 fifty times into a score.
    expect(largestDifference(scores!, wanted!)).toBeLessThan(rounding);
  });

  /** In the order of the labels. */
  async function zeroShot(folder: string, labels: string[]): Promise<readonly number[]> {
    const classify = await pipeline("zero-shot-image-classification", folder, session);
    const results = (await classify(image(8, 8), labels)) as readonly {
      readonly label: string;
      readonly score: number;
    }[];
    await classify.dispose();
    return labels.map((label) => results.find((one) => one.label === label)!.score);
  }

  test("multiplies cosines by 100 when no file says by how much", async () => {
    expect((await loadEncoder(withoutTextWeights(false))).text!.logitScale).toBe(100);
  });
});

describe("folders that came in other layouts", () => {
  test.each([
    "open_clip, QuickGELU",
    "open_clip, ConvNeXt",
    "open_clip's vision tower alone, GELU",
    "open_clip's ConvNeXt alone",
  ])("%s: the same in transformers.js, and loaded again in its layout", async (title) => {
    const encoder = await loadedCase(title);
    const folder = saved(encoder);
    expect(known(await loadEncoder(folder))).toEqual(known(encoder));
    const size = encoder.imageSize;
    const images = randomImages(2, { size, low: -2, high: 2 });
    const vision = await CLIPVisionModelWithProjection.from_pretrained(folder, session);
    const { image_embeds: embeddings } = await vision({
      pixel_values: new Tensor("float32", images, [2, 3, size, size]),
    });
    const wanted = await embed(encoder, images, "normalized");
    expect(largestDifference(embeddings.data, wanted)).toBeLessThan(rounding * largest(wanted));
    await vision.dispose();
    if (!encoder.text) return;
    const model = await CLIPTextModelWithProjection.from_pretrained(folder, session);
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    const { text_embeds: words } = await model(tokenizer(texts, { padding: true, truncation: true }));
    const ours = await encoder.text.embed(texts, threads);
    expect(largestDifference(words.data, ours)).toBeLessThan(rounding * largest(ours));
    await model.dispose();
  });

  test("DINOv2: the embedding is the pooled output, and the pipelines know it", async () => {
    const encoder = await loadedCase("transformers Dinov2ForImageClassification");
    const folder = saved(encoder);
    expect(known(await loadEncoder(folder))).toEqual(known(encoder));
    const size = encoder.imageSize;
    const picture = image(size, size);
    const pixels = ourPixels(picture, size);
    const features = await pipeline("image-feature-extraction", folder, session);
    const pooled = (await features(picture, { pool: true })) as Tensor;
    const wanted = await embed(encoder, pixels, "pixels");
    expect(largestDifference(pooled.data as Float32Array, wanted)).toBeLessThan(rounding * largest(wanted));
    const tokens = (await features(picture)) as Tensor;
    expect([...(tokens.data as Float32Array).slice(0, encoder.embeddingSize)]).toEqual([...pooled.data]);
    await features.dispose();

    const classify = await pipeline("image-classification", folder, session);
    const g = new Graph();
    const input = g.input("pixels", "float32", [1, 3, size, size]);
    const weights = frozenWeights(g, encoder.parameters);
    const program = await compile({ logits: logitsOf(encoder.headFeatures(input, weights), encoder.head!) }, threads);
    const scores = softmax([...((await program.run({ pixels })).logits as Float32Array)]);
    await program.dispose();
    for (const { label, score } of (await classify(picture, { top_k: null })) as { label: string; score: number }[]) {
      expect(Math.abs(score - scores[Number(label.replace("LABEL_", ""))]!)).toBeLessThan(rounding);
    }
    await classify.dispose();
  });
});

function largest(values: Float32Array): number {
  return Math.max(...values.map(Math.abs));
}

test("AutoModel of transformers.js runs a timm encoder: its embedding and its logits", async () => {
  const encoder = tinyEncoder({ depth: 2 });
  const model = (await AutoModel.from_pretrained(saved(encoder), session)) as PreTrainedModel;
  const images = randomImages(2, { low: -2, high: 2 });
  const { embedding, logits } = await model({ pixel_values: new Tensor("float32", images, [2, 3, 8, 8]) });
  const ours = await embed(encoder, images, "normalized");
  expect(largestDifference(embedding.data, ours)).toBeLessThan(rounding);
  const { weight, bias } = encoder.head!;
  const wanted = Array.from({ length: 16 }, (_, i) => {
    const [row, column] = [Math.floor(i / 8), i % 8];
    const products = Array.from({ length: 16 }, (_, d) => ours[16 * row + d]! * weight.data[16 * column + d]!);
    return products.reduce((a, b) => a + b, bias.data[column]!);
  });
  expect(largestDifference(logits.data, wanted)).toBeLessThan(rounding);
  await model.dispose();
});
