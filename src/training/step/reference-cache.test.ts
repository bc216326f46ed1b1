import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { LoreError, UsageError } from "../../errors.ts";
import { fare, lore, type Objective, tecoa } from "../../objectives/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { randomImages, tinyEncoder } from "../../testing/tiny.ts";
import { HostLearner } from "../learners/host.ts";
import { ResidentLearner } from "../learners/resident.ts";
import type { OriginalRows } from "./reference.ts";
import { type CacheOptions, cacheBytes, ReferenceCache } from "./reference-cache.ts";
import { TrainingStep } from "./training-step.ts";

const folder = mkdtempSync(join(tmpdir(), "lore-cache-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const fresh = (): string => join(folder, `${files++}.bin`);

const embeddingSize = 3;
/** Bytes of a row: an embedding and an entropy. */
const rowBytes = 4 * (embeddingSize + 1);

/** A part of four rows, the last of them padding. */
const part = ({ length }: readonly number[]) => ({ count: length, size: 4 });

/** The original's answers to a part's images, every number of which is the image's own. */
function answers(images: readonly number[]): Required<OriginalRows> {
  const at = (i: number): number => images[i] ?? -1;
  return {
    original: Float32Array.from(
      { length: 4 * embeddingSize },
      (_, i) => at(Math.floor(i / embeddingSize)) + (i % embeddingSize) / 8,
    ),
    entropy: Float32Array.from({ length: 4 }, (_, i) => 100 + at(i)),
  };
}

/** The same without a class constraint. */
function embeddings(images: readonly number[]): OriginalRows {
  return { original: answers(images).original };
}

describe("kept is what was given", () => {
  test.each<[string, () => CacheOptions]>([
    ["in memory", () => ({})],
    ["on disk", () => ({ memory: 0, file: fresh() })],
    ["in both", () => ({ memory: 3 * rowBytes, file: fresh() })],
  ])("%s, in another order and other company, with padding", (_, options) => {
    const cache = new ReferenceCache([50, 3, 7, 12, 9, 1], embeddingSize, options());
    for (const images of [
      [50, 3, 7, 12],
      [9, 1],
    ])
      cache.keep(part(images), images, answers(images));
    for (const images of [[1, 12, 50, 9], [3], [7, 1, 3]]) {
      expect(cache.load(part(images), images)).toEqual(answers(images));
    }
    cache.dispose();
  });

  test("a part with an unknown image, or unknown padding, is unknown", () => {
    const cache = new ReferenceCache([0, 1, 2, 3, 4], embeddingSize);
    cache.keep(part([0, 1, 2, 3]), [0, 1, 2, 3], embeddings([0, 1, 2, 3]));
    for (const images of [[0, 1, 2, 4], [0]]) {
      expect(cache.load(part(images), images)).toBeUndefined();
    }
    const all = [3, 2, 1, 0];
    expect(cache.load(part(all), all)).toEqual({ ...embeddings(all), entropy: new Float32Array(4) });
  });

  test("an image that was not announced is named", () => {
    const cache = new ReferenceCache([0, 1], embeddingSize);
    expect(() => cache.load(part([5]), [5])).toThrow(UsageError);
    expect(() => cache.load(part([5]), [5])).toThrow("Image 5");
  });
});

describe("memory is bounded", () => {
  test("what it does not hold is not kept without a file", () => {
    // Padding and two images.
    const cache = new ReferenceCache([0, 1, 2, 3], embeddingSize, { memory: 3 * rowBytes + 1 });
    cache.keep(part([0, 1, 2, 3]), [0, 1, 2, 3], embeddings([0, 1, 2, 3]));
    cache.keep(part([0]), [0], embeddings([0]));
    expect(cache.load(part([0, 1]), [0, 1])).toBeDefined();
    expect(cache.load(part([2]), [2])).toBeUndefined();
  });

  test("the file holds just the rest, and is removed", () => {
    const file = fresh();
    const cache = new ReferenceCache([0, 1, 2, 3], embeddingSize, { memory: 3 * rowBytes, file });
    expect(existsSync(file)).toBe(false);
    cache.keep(part([0, 1, 2, 3]), [0, 1, 2, 3], embeddings([0, 1, 2, 3]));
    expect(statSync(file).size).toBe(2 * rowBytes);
    cache.dispose();
    expect(existsSync(file)).toBe(false);
  });

  test("a file left by a run that was killed counts for nothing", () => {
    const file = fresh();
    writeFileSync(file, Buffer.alloc(1000, 1));
    const cache = new ReferenceCache([0, 1, 2, 3], embeddingSize, { memory: 0, file });
    expect(cache.load(part([0]), [0])).toBeUndefined();
    cache.keep(part([0]), [0], embeddings([0]));
    expect(statSync(file).size).toBe(2 * rowBytes);
    cache.dispose();
  });

  test("a small data set takes what it needs, a large one the bound", () => {
    expect(cacheBytes(9, embeddingSize)).toBe(10 * rowBytes);
    expect(cacheBytes(10_000_000, 512)).toBe(256 * 2 ** 20);
  });

  test("a file that cannot be made is named", () => {
    const cache = new ReferenceCache([0], embeddingSize, { memory: 0, file: join(folder, "absent", "file") });
    expect(() => cache.keep(part([0]), [0], embeddings([0]))).toThrow(LoreError);
    expect(() => cache.keep(part([0]), [0], embeddings([0]))).toThrow(join("absent", "file"));
    cache.dispose();
  });
});

describe("in training", () => {
  const encoder = tinyEncoder();
  const epsilon = 8 / 255;
  const attack = { steps: 2 };
  const dual = { kind: "network", hidden: 16, initial: Math.LN2, learningRate: 1e-2 } as const;
  const objectives: readonly (readonly [string, Objective])[] = [
    ["FARE", fare({ epsilon, attack })],
    ["LORE", lore({ epsilon, attack, dual, stepsPerBatch: 2 })],
    [
      "TeCoA with KL",
      tecoa({ epsilon, attack, classifier: encoder.head!, constraint: { divergence: "classes", dual } }),
    ],
  ];
  const count = 11;
  const pixels = randomImages(count);
  const length = pixels.length / count;
  // By image; two micro-batches a batch, the last of them padded in both epochs.
  const epochs = [
    [
      [0, 1, 2, 3, 4],
      [5, 6, 7, 8, 9],
    ],
    [
      [7, 3, 9, 0, 2],
      [8, 1, 4, 6, 5],
    ],
  ];

  /** The state after two epochs over ten of eleven images, and how often the original encoder ran in each. */
  async function train(objective: Objective, resident: boolean, referenceCache?: CacheOptions) {
    const reference = vi.spyOn(resident ? ResidentLearner.prototype : HostLearner.prototype, "reference");
    const images = Array.from({ length: count }, (_, i) => i);
    const usual = { microBatch: 3, weightDecay: 1e-4, seed: 0, threads: 1, images };
    const step = await TrainingStep.create(
      encoder,
      objective,
      { ...usual, ...(referenceCache && { referenceCache }) },
      resident ? "device" : "host",
    );
    const calls: number[] = [];
    for (const [epoch, batches] of epochs.entries()) {
      const before = reference.mock.calls.length;
      for (const [b, batch] of batches.entries()) {
        const of = new Float32Array(batch.length * length);
        batch.forEach((image, i) => void of.set(pixels.subarray(image * length, (image + 1) * length), i * length));
        const labels = Int32Array.from(batch, (image) => image % 8);
        await step.run(of, [epoch, b], () => 1e-3, labels, batch);
      }
      calls.push(reference.mock.calls.length - before);
    }
    await step.pull();
    const state = new Map<string, Tensor["data"]>([...step.state()].map(([name, { data }]) => [name, data.slice()]));
    await step.dispose();
    reference.mockRestore();
    return { state, calls };
  }

  test.each(
    objectives.flatMap(([name, objective]) => [true, false].map((resident) => [name, resident, objective] as const)),
  )(
    "%s, on a device %s: the same weights to the last bit, the original runs once an image",
    async (_, resident, objective) => {
      const without = await train(objective, resident);
      expect(without.calls).toEqual([4, 4]);
      for (const options of [{}, { memory: 0, file: fresh() }]) {
        const cached = await train(objective, resident, options);
        expect(cached.calls).toEqual([4, 0]);
        expect(cached.state).toEqual(without.state);
      }
    },
  );

  test("a cache that is not told the images is refused", async () => {
    const options = { microBatch: 3, weightDecay: 0, seed: 0, threads: 1, referenceCache: {} };
    await expect(TrainingStep.create(encoder, objectives[0]![1], options)).rejects.toThrow(UsageError);
  });
});
