import { expect, test } from "vitest";
import { EmbeddingBank } from "../../objectives/index.ts";
import { batchOf, joined, partsOf } from "./batch.ts";

const bank = new EmbeddingBank(2, 3).arrays;
const pixels = Float32Array.from({ length: 14 }, (_, i) => i + 1);

test("parts of several sizes are views of one batch, padded to whole parts of each", () => {
  const batch = batchOf(pixels, Int32Array.of(6, 5, 4, 3, 2, 1, 0), 2, [3, 2], bank);
  // Seven images: nine places in parts of three, eight in parts of two.
  expect(batch).toMatchObject({ count: 7, length: 9 });
  for (const size of [3, 2]) {
    const parts = partsOf(batch, batch.images, size);
    expect(parts.map(({ count }) => count)).toEqual(size === 3 ? [3, 3, 1] : [2, 2, 2, 1]);
    for (const { start, count, rows } of parts) {
      expect(rows.clean.buffer).toBe(batch.images.clean.buffer);
      expect(rows.clean).toEqual(Float32Array.from({ length: 2 * size }, (_, i) => pixels[2 * start + i] ?? 0));
      expect(rows.labels).toEqual(
        BigInt64Array.from({ length: size }, (_, i) => BigInt(i < count ? 6 - start - i : 0)),
      );
      expect(rows.share).toEqual(Float32Array.from({ length: size }, (_, i) => (i < count ? 1 / 7 : 0)));
    }
  }
});

test("parts' rows make a batch's rows, of which parts of another size can be cut", () => {
  const batch = batchOf(pixels, undefined, 2, [3, 2], bank);
  const pairs = [0, 1, 2, 3].map((part) => Float32Array.of(20 * part, 20 * part + 1, 20 * part + 10, 20 * part + 11));
  const rows = { pair: joined(batch, 2, pairs) };
  expect(rows.pair).toEqual(Float32Array.of(0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71, 0, 0));
  expect(partsOf(batch, rows, 3).map((part) => [...part.rows.pair])).toEqual([
    [0, 1, 10, 11, 20, 21],
    [30, 31, 40, 41, 50, 51],
    [60, 61, 70, 71, 0, 0],
  ]);
});

test("images are not copied where the batch needs no padding", () => {
  expect(batchOf(pixels, undefined, 2, [7], bank).images.clean).toBe(pixels);
});
