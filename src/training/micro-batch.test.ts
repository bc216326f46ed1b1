import { describe, expect, test } from "vitest";
import type { Encoder } from "../models/encoder.ts";
import { fare, lore } from "../objectives/index.ts";
import { benchEncoder } from "../profiling/models.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { usualMicroBatches } from "./micro-batch.ts";

const objective = lore({ epsilon: 2 / 255 });
const usualMicroBatch = (encoder: Encoder, batch: number): number =>
  usualMicroBatches(encoder, objective, batch).microBatch;

describe("the usual micro-batch", () => {
  const small = benchEncoder("small", 0);
  const tiny = benchEncoder("deit-tiny", 0);

  test("is the batch where it is small", () => {
    for (const batch of [1, 2, 5]) expect(usualMicroBatch(small, batch)).toBe(batch);
  });

  test("is fewer images where each has more tokens", () => {
    expect(usualMicroBatch(tiny, 16)).toBe(8);
    expect(usualMicroBatch(benchEncoder("deit-tiny", 0, 112), 16)).toBe(16);
  });

  test("fills the batch: no places are left empty where there is a way", () => {
    expect(usualMicroBatch(small, 64)).toBe(16);
    expect(usualMicroBatch(small, 90)).toBe(18);
    for (let batch = 1; batch <= 200; batch++) {
      const size = usualMicroBatch(small, batch);
      // 65 tokens an image.
      expect(size).toBeLessThanOrEqual(1800 / 65);
      expect(size).toBeGreaterThanOrEqual(Math.min(batch, 1800 / 65 / 3));
      expect(size).toBe(Math.ceil(batch / Math.ceil(batch / size)));
    }
  });

  test("is one image where one alone makes more rows than pay", () => {
    expect(usualMicroBatch(tinyEncoder({ imageSize: 256 }), 8)).toBe(1);
  });

  test("is the batch on a GPU", () => {
    expect(usualMicroBatches(small, objective, 64, "webgpu")).toEqual({ microBatch: 64, primalMicroBatch: 64 });
  });
});

describe("the usual micro-batch of the optimiser's steps", () => {
  const primal = (encoder: Encoder, batch: number, method = objective): number =>
    usualMicroBatches(encoder, method, batch).primalMicroBatch;
  const tiny = benchEncoder("deit-tiny", 0);

  test("is smaller where clean and perturbed images make many rows", () => {
    expect(primal(tiny, 16)).toBe(2);
    expect(primal(tiny, 16, fare({ epsilon: 2 / 255 }))).toBe(4);
    expect(primal(benchEncoder("vit-b-32", 0), 8)).toBe(8);
  });

  test("is never larger than the attack's", () => {
    for (let batch = 1; batch <= 64; batch++) {
      for (const method of [objective, fare({ epsilon: 2 / 255 })]) {
        const { microBatch, primalMicroBatch } = usualMicroBatches(tiny, method, batch);
        expect(primalMicroBatch).toBeLessThanOrEqual(microBatch);
      }
    }
  });
});
