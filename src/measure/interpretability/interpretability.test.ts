import { expect, it, test } from "vitest";
import { pgd } from "../../attacks/index.ts";
import { synthetic } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { Forward } from "../../inference/forward.ts";
import { embedImages, zeroShotClassifier } from "../../inference/index.ts";
import { templateSets } from "../../inference/template-sets.ts";
import { frozenEmbedding } from "../../inference/victim.ts";
import { spreadOf } from "../../results/spread.ts";
import { randomImages, tinyEncoder } from "../../testing/tiny.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import { Attacker } from "../accuracy/attacker.ts";
import { alignment, nearestTexts } from "./alignment.ts";
import { Flips, flipResolution, flipUpTo } from "./flip.ts";
import { gini, Saliency } from "./saliency.ts";
import { type Similarity, similarityOf } from "./similarity.ts";
import { synthesize } from "./synthesis.ts";
import { manyTemplates } from "./templates.ts";
import { textSimilarity } from "./towards.ts";

const threads = 1;
const head = tinyEncoder();
const clip = tinyClip();
const pixels = randomImages(3, { low: 0.2, high: 0.8 });
const length = pixels.length / 3;

/** Similarities of images, by a program of their own: [count, similarity.count]. */
async function similarities({ values }: Similarity, images: Float32Array): Promise<Float32Array> {
  const forward = await Forward.compile((x) => ({ values: values(x) }), {
    ...{ encoder: "tiny", imageSize: 8, batch: images.length / length, threads },
  });
  const { values: found } = await forward.run(images);
  await forward.dispose();
  return found;
}

async function catOrRed(): Promise<Similarity> {
  return textSimilarity(clip, synthetic({ count: 8 }), ["a cat", "a red photo"], { threads });
}

it("has a Gini coefficient of 0 where even, (n - 1) / n at one pixel, and its value by definition between", () => {
  expect(gini(new Float32Array(16).fill(0.3))).toBeCloseTo(0, 12);
  expect(gini(Float32Array.of(0, 0, 5, 0))).toBeCloseTo(3 / 4, 12);
  expect(gini(new Float32Array(4))).toBe(0);
  const values = Float32Array.of(1, 4, 2, 7, 0.5);
  // Mean absolute difference of all pairs over twice the mean.
  const pairs = [...values].flatMap((a) => [...values].map((b) => Math.abs(a - b)));
  const mean = (all: readonly number[]): number => all.reduce((sum, x) => sum + x, 0) / all.length;
  expect(gini(values)).toBeCloseTo(mean(pairs) / (2 * mean([...values])), 12);
});

it("spreads as NumPy's percentile does", () => {
  expect(spreadOf([4, 1, 3, 2, 10])).toEqual({
    mean: 4,
    median: 3,
    low: expect.closeTo(1.2, 12),
    high: expect.closeTo(8.8, 12),
    quantiles: [0.05, 0.95],
  });
});

test.each([
  ["cosine with a text", catOrRed],
  ["logit of a head", async () => similarityOf(head, head.head!)],
])("saliency of a %s is the finite difference, channel by channel", async (_, open) => {
  const similarity = await open();
  const labels = [1, 0, 1];
  // Two images a run: the last run is padded.
  const saliency = await Saliency.compile(similarity, { imageSize: 8, batch: 2, threads });
  const maps = await saliency.maps(pixels, labels);
  await saliency.dispose();
  expect(maps.length).toBe(3 * 64);
  const step = 1e-2;
  for (const [image, pixel] of [
    [0, 0],
    [1, 27],
    [2, 63],
  ] as const) {
    const moved = new Float32Array(6 * length);
    for (let c = 0; c < 3; c++) {
      for (const [i, sign] of [
        [2 * c, 1],
        [2 * c + 1, -1],
      ] as const) {
        moved.set(pixels.subarray(image * length, (image + 1) * length), i * length);
        moved[i * length + 64 * c + pixel]! += sign * step;
      }
    }
    const values = await similarities(similarity, moved);
    const at = (i: number): number => values[i * similarity.count + labels[image]!]!;
    const slopes = [0, 1, 2].map((c) => Math.abs(at(2 * c) - at(2 * c + 1)) / (2 * step));
    const expected = slopes[0]! + slopes[1]! + slopes[2]!;
    // Central differences of float32: rounding of 1e-7 over the step, curvature of the step squared.
    expect(Math.abs(maps[image * 64 + pixel]! - expected)).toBeLessThan(2e-3 * (1 + expected));
  }
});

it("aligns images with the texts of their own class, as computed one by one", async () => {
  const embeddings = await embedImages(clip, pixels, { threads });
  const [classNames, templates] = [
    ["cat", "red"],
    ["a {}", "a photo of a {}", "{}"],
  ];
  const labels = [1, 0, 1];
  const cosines = await alignment(clip, { embeddings, labels }, { classNames, templates }, { threads });
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  for (const [i, label] of labels.entries()) {
    for (const [t, template] of templates.entries()) {
      const text = await clip.text!.embed([template.replace("{}", classNames[label]!)], { threads });
      const image = embeddings.subarray(10 * i, 10 * (i + 1));
      const cosine = dot(image, text) / Math.sqrt(dot(image, image) * dot(text, text));
      expect(cosines[i * 3 + t]).toBeCloseTo(cosine, 5); // float32, texts padded to another length
    }
  }
});

it("lists the nearest texts first", () => {
  const names = ["north", "east", "north-east"];
  const texts = { names, embeddings: Float32Array.of(0, 1, 1, 0, Math.SQRT1_2, Math.SQRT1_2) };
  const [first, second] = nearestTexts(Float32Array.of(0.1, 3, -5, 0), 2, texts, 2);
  expect(first!.map(({ text }) => text)).toEqual(["north", "north-east"]);
  expect(second!.map(({ text }) => text)).toEqual(["north", "north-east"]);
  expect(second![1]!.cosine).toBeCloseTo(-Math.SQRT1_2, 6);
});

it("finds flips that the attack itself confirms, and that it does not find one resolution below", async () => {
  const similarity = similarityOf(head, head.head!);
  const values = await similarities(similarity, pixels);
  const predictions = [0, 1, 2].map((i) => {
    const row = values.subarray(i * 8, (i + 1) * 8);
    return row.indexOf(Math.max(...row));
  });
  const keys = [5, 6, 7];
  const flips = new Flips(similarity, { imageSize: 8, batch: 4, threads });
  let done = 0;
  const onDone = (images: number): void => {
    done += images;
  };
  const epsilons = await flips.find({ pixels, predictions, keys, seed: 3, onDone });
  await flips.dispose();
  expect(done).toBe(3);
  expect(epsilons.some((epsilon) => epsilon !== undefined && epsilon < flipUpTo)).toBe(true);
  const victim = { name: "tiny", imageSize: 8, logits: similarity.values, embed: frozenEmbedding(head) };
  const attacker = new Attacker(victim, { batch: 1, threads });
  for (const [i, epsilon] of epsilons.entries()) {
    const clean = pixels.subarray(i * length, (i + 1) * length);
    const succeeds = async (at: number): Promise<boolean> => {
      const images = { clean, count: 1, labels: [predictions[i]!], keys: [keys[i]!], seed: 3 };
      const { adversarial, success } = await attacker.run(pgd({ epsilon: at }), images);
      const farthest = Math.max(...adversarial.map((x, j) => Math.abs(x - clean[j]!)));
      expect(farthest).toBeLessThan(at + 1e-6); // float32 rounding of clean +- epsilon
      return success[0]!;
    };
    expect(await succeeds(epsilon ?? flipUpTo)).toBe(epsilon !== undefined);
    if (epsilon !== undefined && epsilon > flipResolution) expect(await succeeds(epsilon - flipResolution)).toBe(false);
  }
  await attacker.dispose();
});

it("makes images that come nearer and nearer to their own texts, within [0, 1]", async () => {
  const goal = await catOrRed();
  const { pixels: made, similarities: reached } = await synthesize(8, goal, { steps: 40, smoothness: 0, threads });
  expect(made.every((x) => x >= 0 && x <= 1)).toBe(true);
  expect(reached).toHaveLength(41);
  for (const i of [0, 1]) {
    const rises = reached.slice(1).filter((values, step) => values[i]! > reached[step]![i]!);
    // Ascent of a fixed length circles the maximum in the end, but climbs for most of the way.
    expect(rises.length).toBeGreaterThan(25);
    expect(reached[40]![i]! - reached[0]![i]!).toBeGreaterThan(0.2);
    const values = await similarities(goal, made.slice(i * length, (i + 1) * length));
    expect(values[i]).toBeCloseTo(reached[40]![i]!, 5);
  }
});

it("makes smoother images where total variation costs", async () => {
  const goal = await catOrRed();
  const roughness = async (smoothness: number): Promise<number> => {
    const { pixels: made } = await synthesize(8, goal, { steps: 40, smoothness, threads });
    let sum = 0;
    for (let at = 0; at < made.length; at++) if (at % 8 > 0) sum += Math.abs(made[at]! - made[at - 1]!);
    return sum;
  };
  expect(await roughness(5)).toBeLessThan(0.8 * (await roughness(0)));
});

it("goes towards the class that a text names where there is no text tower", async () => {
  const source = synthetic({ count: 8 });
  const names = source.classes!.map(({ name }) => name);
  const goal = await textSimilarity(head, source, [`a drawing of a ${names[5]}.`]);
  const all = await similarities(similarityOf(head, head.head!), pixels);
  const found = await similarities(goal, pixels);
  for (const i of [0, 1, 2]) expect(found[i]).toBeCloseTo(all[i * 8 + 5]!, 5);
  await expect(textSimilarity(head, source, ["a volcano"])).rejects.toThrow(UsageError);
});

it("classifies by cosines without their scale", async () => {
  const classifier = await zeroShotClassifier(clip, ["cat", "red"], ["a {}"], { threads });
  const values = await similarities(similarityOf(clip, classifier), pixels);
  expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1);
});

it("ships 150 templates, each once, each with a place for the name, none of the published ones", () => {
  const templates = manyTemplates();
  expect(new Set(templates).size).toBe(150);
  for (const template of templates) expect(template.split("{}").length).toBeGreaterThan(1);
  const published = new Set<string>(Object.values(templateSets).flat());
  expect(templates.filter((template) => published.has(template))).toEqual([]);
});
