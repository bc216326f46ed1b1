import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { apgd, type Norm, pgd } from "../../attacks/index.ts";
import { UsageError } from "../../errors.ts";
import { usualFraming } from "../../framing.ts";
import type { Value } from "../../graph/index.ts";
import { embedImages } from "../../inference/embed.ts";
import type { Encoder, Weights } from "../../models/encoder.ts";
import { randomStream } from "../../random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { randomImages, tinyEncoder } from "../../testing/tiny.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import { attackEmbeddings, type EmbeddingAttackOptions } from "./embedding-attack.ts";

const encoder = tinyClip();
const count = 3;
const size = 3 * 8 * 8;
const pixels = randomImages(count);
const epsilon = 4 / 255;
const attack = (options: Partial<EmbeddingAttackOptions> = {}, of: Encoder = encoder, images = pixels) =>
  attackEmbeddings(of, images, {
    attack: pgd({ epsilon, loss: "embedding-l2" }),
    goal: { kind: "away" },
    threads: 1,
    ...options,
  });

/** One embedding an image. */
async function embed(of: Encoder, images: Float32Array): Promise<readonly Float32Array[]> {
  const all = await embedImages(of, images, { batch: 2, threads: 1 });
  const width = of.embeddingSize;
  return Array.from({ length: all.length / width }, (_, i) => all.subarray(i * width, (i + 1) * width));
}

const squared = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const cosine = (a: Float32Array, b: Float32Array): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** How far images are from where they were, in the norm; one number an image. */
function moved(norm: Norm, after: Float32Array, before: Float32Array): readonly number[] {
  return Array.from({ length: before.length / size }, (_, i) => {
    const change = after.subarray(i * size, (i + 1) * size).map((x, j) => Math.abs(x - before[i * size + j]!));
    return norm === "linf"
      ? Math.max(...change)
      : norm === "l2"
        ? Math.hypot(...change)
        : change.reduce((a, b) => a + b);
  });
}

describe("away from the clean embedding", () => {
  test.each([
    ["pgd, l2", pgd({ epsilon, loss: "embedding-l2" }), "squaredDistance"],
    ["apgd, l2", apgd({ epsilon, loss: "embedding-l2", steps: 20 }), "squaredDistance"],
    ["pgd, cosine", pgd({ epsilon, loss: "embedding-cosine" }), "cosine"],
    ["apgd, cosine", apgd({ epsilon, loss: "embedding-cosine", steps: 20 }), "cosine"],
  ] as const)(
    "%s: farther than the worst of 32 draws of uniform noise of the same epsilon",
    async (_, with_, measure) => {
      const { images } = await attack({ attack: with_ });
      const clean = await embed(encoder, pixels);
      const random = randomStream("noise");
      const distances = (embeddings: readonly Float32Array[]) =>
        embeddings.map((z, i) =>
          measure === "cosine" ? 1 - cosine(z, clean[i % count]!) : squared(z, clean[i % count]!),
        );
      const noisy = Float32Array.from({ length: 32 * pixels.length }, (_, i) => {
        const x = pixels[i % pixels.length]! + random.uniform(-epsilon, epsilon);
        return Math.min(Math.max(x, 0), 1);
      });
      const byNoise = distances(await embed(encoder, noisy));
      for (const [i, { toClean, toReference }] of images.entries()) {
        const worst = Math.max(...byNoise.filter((_, j) => j % count === i));
        const reached = measure === "cosine" ? 1 - toClean.cosine : toClean.squaredDistance;
        // A gradient in 192 dimensions: the tenfold of chance on this encoder, of which half is asked for.
        expect(reached).toBeGreaterThan(5 * worst);
        expect(toReference).toBeUndefined();
      }
    },
  );
});

describe("towards an embedding", () => {
  test("of another image or of a text, the cosine rises; one reference for all or one an image", async () => {
    const [other] = await embed(encoder, randomImages(1, { seed: 9 }));
    const text = await encoder.text!.embed(["a photo of a red cat"], { threads: 1 });
    for (const reference of [other!, text]) {
      const goal = { kind: "towards", reference } as const;
      const with_ = pgd({ epsilon, loss: "embedding-cosine" });
      const { images } = await attack({ attack: with_, goal });
      // The embeddings of this encoder's images are near each other from the start: what counts is what is missing.
      // A twentieth of it is asked for; a sixth was won at least, a random text being farther off than an image.
      for (const { toReference } of images) {
        expect(1 - toReference!.after.cosine).toBeLessThan(0.95 * (1 - toReference!.before.cosine));
      }
      const rows = Float32Array.from({ length: count * 10 }, (_, i) => reference[i % 10]!);
      expect(await attack({ attack: with_, goal: { kind: "towards", reference: rows } })).toEqual(
        await attack({ attack: with_, goal }),
      );
    }
  });

  test("each image to its own reference: here images change places", async () => {
    const clean = await embed(encoder, pixels);
    const others = [1, 2, 0];
    const reference = Float32Array.from(others.flatMap((other) => [...clean[other]!]));
    const { images } = await attack({
      goal: { kind: "towards", reference },
      attack: apgd({ epsilon: 0.1, loss: "embedding-l2", steps: 20 }),
    });
    for (const [i, { toReference }] of images.entries()) {
      const { before, after } = toReference!;
      // Sums of 10 terms in another precision.
      expect(before.squaredDistance).toBeCloseTo(squared(clean[i]!, clean[others[i]!]!), 4);
      expect(after.squaredDistance).toBeLessThan(before.squaredDistance / 2);
    }
  });
});

test("what is told of an image is what its perturbed pixels give", async () => {
  const [reference] = await embed(encoder, randomImages(1, { seed: 9 }));
  const { perturbed, images } = await attack({ goal: { kind: "towards", reference: reference! } });
  const [clean, after] = [await embed(encoder, pixels), await embed(encoder, perturbed)];
  for (const [i, { toClean, toReference }] of images.entries()) {
    // The same float32 embeddings, computed in batches of another size.
    expect(toClean.squaredDistance).toBeCloseTo(squared(after[i]!, clean[i]!), 4);
    expect(toClean.cosine).toBeCloseTo(cosine(after[i]!, clean[i]!), 5);
    expect(toReference!.before.cosine).toBeCloseTo(cosine(clean[i]!, reference!), 5);
    expect(toReference!.after.squaredDistance).toBeCloseTo(squared(after[i]!, reference!), 4);
  }
});

test("never leaves the ball or [0, 1]; quantised, only levels of a file", async () => {
  const arbitrary = fc.record({
    kind: fc.constantFrom("pgd", "apgd"),
    norm: fc.constantFrom("linf", "l2", "l1"),
    levels: fc.integer({ min: 0, max: 40 }),
    loss: fc.constantFrom("embedding-l2", "embedding-cosine"),
    towards: fc.boolean(),
    quantize: fc.boolean(),
    seed: fc.nat(1000),
  } as const);
  const reference = randomImages(1).slice(0, 10);
  await fc.assert(
    fc.asyncProperty(arbitrary, async ({ kind, norm, levels, loss, towards, quantize, seed }) => {
      // Pixels at the borders of [0, 1] are where the ball is cut; all of them on levels.
      const images = randomImages(2, { seed, low: -0.3, high: 1.3 }).map(
        (x) => Math.round(255 * Math.min(Math.max(x, 0), 1)) / 255,
      );
      const size = { linf: 1, l2: 10, l1: 100 }[norm] * (levels / 255);
      const made =
        kind === "apgd" || norm === "l1"
          ? apgd({ norm, epsilon: size, loss, steps: 3 })
          : pgd({ norm, epsilon: size, loss, steps: 3 });
      const goal = towards ? ({ kind: "towards", reference } as const) : ({ kind: "away" } as const);
      const { perturbed } = await attack({ attack: made, goal, quantize, seed }, encoder, images);
      // Float32: roundings of 6e-8 a pixel, 192 pixels; in l1 they add up.
      for (const distance of moved(norm, perturbed, images))
        expect(distance).toBeLessThanOrEqual(size + (norm === "l1" ? 1e-5 : 1e-6));
      expect(perturbed.every((x) => x >= 0 && x <= 1)).toBe(true);
      if (quantize) expect(perturbed.every((x) => x === Math.fround(Math.round(255 * x) / 255))).toBe(true);
    }),
    { numRuns: 25 },
  );
});

describe("on a linear encoder the optimum is known", () => {
  const weight = randomStream("linear");
  /** z = w . x for one image of 4 pixels a side; far enough from 0 and 1 that only the ball binds. */
  const linear = (outputs: number): Encoder => {
    const data = Float32Array.from({ length: 48 * outputs }, () => weight.normal());
    const tensor: Tensor<"float32"> = { dtype: "float32", shape: [48, outputs], data };
    const { normalization, layout } = tinyEncoder();
    const embed = (x: Value, weights: Weights): Value =>
      x.graph.matMul(x.graph.reshape(x, [x.shape[0]!, 48]), weights("w"));
    return {
      ...{ name: "linear", imageSize: 4, embeddingSize: outputs, framing: usualFraming(4), normalization, layout },
      parameters: new Map([["w", tensor]]),
      ...{ embed, embedNormalized: embed, headFeatures: embed },
      withParameters: () => linear(outputs),
    };
  };
  const images = randomImages(2, { size: 4, low: 0.3, high: 0.7 });
  const of = linear(1);
  const w = of.parameters.get("w")!.data as Float32Array;
  const l1 = w.reduce((sum, x) => sum + Math.abs(x), 0);
  const l2 = Math.sqrt(dot(w, w));

  // Five digits of float32. In l2 PGD's part across the weights shrinks to four fifths a step: 60 steps, not 20.
  test.each([
    ["pgd", "linf", 0.05 * l1, pgd({ epsilon: 0.05, loss: "embedding-l2" })],
    ["apgd", "linf", 0.05 * l1, apgd({ epsilon: 0.05, loss: "embedding-l2", steps: 20 })],
    ["pgd", "l2", 0.2 * l2, pgd({ epsilon: 0.2, norm: "l2", loss: "embedding-l2", steps: 60 })],
    ["apgd", "l2", 0.2 * l2, apgd({ epsilon: 0.2, norm: "l2", loss: "embedding-l2", steps: 20 })],
  ] as const)(
    "%s, %s: away by epsilon times the dual norm of the weights, towards by as much",
    async (_, __, reach, with_) => {
      const away = await attack({ attack: with_ }, of, images);
      for (const { toClean } of away.images) expect(Math.sqrt(toClean.squaredDistance) / reach).toBeCloseTo(1, 5);
      const clean = await embed(of, images);
      const far = Float32Array.from(clean, ([z]) => z! - 3 * reach);
      const towards = await attack({ attack: with_, goal: { kind: "towards", reference: far } }, of, images);
      for (const { toReference } of towards.images) {
        expect(Math.sqrt(toReference!.before.squaredDistance) / reach).toBeCloseTo(3, 5);
        expect(Math.sqrt(toReference!.after.squaredDistance) / reach).toBeCloseTo(2, 5);
      }
    },
  );

  test("with several outputs, l2: by epsilon times the largest singular value", async () => {
    const several = linear(3);
    const matrix = several.parameters.get("w")!.data as Float32Array;
    // Power iteration on W^T W, an independent way to the same number.
    let v = Float32Array.of(1, 1, 1);
    let largest = 0;
    for (let i = 0; i < 500; i++) {
      const image = Float32Array.from({ length: 48 }, (_, p) => dot(matrix.subarray(3 * p, 3 * p + 3), v));
      const next = v.map((_, d) => image.reduce((sum, x, p) => sum + x * matrix[3 * p + d]!, 0));
      largest = Math.sqrt(dot(next, next));
      v = next.map((x) => x / largest);
    }
    const { images: results } = await attack(
      { attack: apgd({ epsilon: 0.2, norm: "l2", loss: "embedding-l2", steps: 100 }) },
      several,
      images,
    );
    // Ascent nears the largest of three singular values as power iteration does; 100 steps give three digits.
    for (const { toClean } of results) expect(Math.sqrt(toClean.squaredDistance / largest) / 0.2).toBeCloseTo(1, 3);
  });
});

test("depends on the seed, not on the batch; tells how far it is", async () => {
  const told: number[] = [];
  const onProgress = (done: number, total: number) => told.push(done / total);
  const first = await attack({ seed: 1, batch: 1, onProgress });
  const several = apgd({ epsilon, loss: "embedding-l2", steps: 5, restarts: 2 });
  await attack({ attack: several, onProgress });
  await attack({ attack: apgd({ norm: "l1", epsilon: 1, loss: "embedding-l2", steps: 5 }), onProgress });
  const again = await attack({ seed: 1 });
  const [changed, batched] = [await attack({ seed: 2 }), await attack({ seed: 1, batch: 2 })];
  // An image at a time through 20 steps and the start; six runs in two batches of three, 5 steps and the
  // start; three balls of 5 steps in all and a start each.
  const evenly = (count: number) => Array.from({ length: count }, (_, i) => (i + 1) / count);
  expect(told).toEqual([...evenly(63), ...evenly(12), ...evenly(8)]);
  expect(again).toEqual(await attack({ seed: 1 }));
  expect(changed.perturbed).not.toEqual(again.perturbed);
  // Products of other batch sizes round otherwise, and the sign of a gradient near zero may flip by that.
  for (const { images } of [first, batched])
    for (const [i, { toClean }] of images.entries())
      expect(toClean.squaredDistance / again.images[i]!.toClean.squaredDistance).toBeCloseTo(1, 1);
});

test("no images are no work", async () => {
  expect(await attack({}, encoder, new Float32Array())).toEqual({ perturbed: new Float32Array(), images: [] });
});

describe("what cannot be attacked", () => {
  const refuses = async (options: Partial<EmbeddingAttackOptions>, message: RegExp, images = pixels) => {
    const error = await attack(options, encoder, images).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(message);
  };

  test("away from the clean image itself, but towards another is well", async () => {
    const zero = pgd({ epsilon, loss: "embedding-l2", start: "zero" });
    await refuses({ attack: zero }, /no gradient there.*uniform start/);
    const [reference] = await embed(encoder, randomImages(1, { seed: 9 }));
    const { images } = await attack({ attack: zero, goal: { kind: "towards", reference: reference! } });
    for (const { toReference } of images)
      expect(toReference!.after.squaredDistance).toBeLessThan(toReference!.before.squaredDistance);
  });

  test("losses with labels, pixels and references that do not fit", async () => {
    await refuses({}, /no whole number of images \[3, 8, 8\]/, pixels.subarray(1));
    await refuses(
      {},
      /at 0 is outside \[0, 1\]/,
      pixels.map((x) => 255 * x + 1),
    );
    const towards = (reference: Float32Array) => ({ goal: { kind: "towards", reference } }) as const;
    await refuses(towards(new Float32Array(20)), /has 20 values; tiny-clip needs 10, or 3 x 10/);
    await refuses(towards(new Float32Array(10).fill(Number.NaN)), /not finite numbers/);
  });
});
