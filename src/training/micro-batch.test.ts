import { describe, expect, test } from "vitest";
import { benchEncoder } from "../bench/models.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { usualMicroBatch } from "./micro-batch.ts";

describe("usualMicroBatch", () => {
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
    expect(usualMicroBatch(small, 90)).toBe(30);
    for (let batch = 1; batch <= 200; batch++) {
      const size = usualMicroBatch(small, batch);
      // 65 tokens an image, fewer in the last block, of which only the class token is read.
      expect(size).toBeLessThanOrEqual(1800 / 58);
      expect(size).toBeGreaterThanOrEqual(Math.min(batch, 1800 / 65 / 3));
      expect(size).toBe(Math.ceil(batch / Math.ceil(batch / size)));
    }
  });

  test("is one image where one alone makes more rows than pay", () => {
    expect(usualMicroBatch(tinyEncoder({ imageSize: 256 }), 8)).toBe(1);
  });

  test("is the batch on a GPU", () => {
    expect(usualMicroBatch(small, 64, "webgpu")).toBe(64);
  });
});
