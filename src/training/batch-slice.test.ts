import { expect, test } from "vitest";
import { EmbeddingBank } from "../objectives/index.ts";
import { batchOf, partsOf } from "./batch-slice.ts";

const size = { image: 2, embedding: 3 };
const bank = new EmbeddingBank(2, size.embedding).arrays;
const pixels = Float32Array.from({ length: 14 }, (_, i) => i + 1);

test("parts of several sizes are views of one batch, padded to whole parts of each", () => {
  const batch = batchOf(pixels, Int32Array.of(6, 5, 4, 3, 2, 1, 0), size, [3, 2], bank);
  // Seven images: nine places in parts of three, eight in parts of two.
  expect(batch).toMatchObject({ count: 7, length: 9 });
  for (const each of [3, 2]) {
    const parts = partsOf(batch, each);
    expect(parts.map(({ count }) => count)).toEqual(each === 3 ? [3, 3, 1] : [2, 2, 2, 1]);
    for (const { start, count, ...arrays } of parts) {
      expect(arrays.clean).toEqual(Float32Array.from({ length: 2 * each }, (_, i) => pixels[2 * start + i] ?? 0));
      expect(arrays.labels).toEqual(
        BigInt64Array.from({ length: each }, (_, i) => BigInt(i < count ? 6 - start - i : 0)),
      );
      expect(arrays.share).toEqual(Float32Array.from({ length: each }, (_, i) => (i < count ? 1 / 7 : 0)));
      expect(arrays.original).toHaveLength(3 * each);
    }
  }
  partsOf(batch, 3)[1]!.advDistance.set([30, 40, 50]);
  expect(partsOf(batch, 2).map(({ advDistance }) => [...advDistance])).toEqual([
    [0, 0],
    [0, 30],
    [40, 50],
    [0, 0],
  ]);
});

test("images are not copied where the batch needs no padding", () => {
  const { clean } = partsOf(batchOf(pixels, undefined, size, [7], bank), 7)[0]!;
  expect(clean.buffer).toBe(pixels.buffer);
});
