import { expect, test } from "vitest";
import { f32, imported, inOnnxRuntime, int, type SmallNode, smallModel } from "../../../testing/small-model.ts";
import { importModel } from "../../import-model.ts";

const ordered: SmallNode = [
  "MultiHeadAttention",
  "q k v",
  "y",
  { num_heads: int(1), unidirectional: int(1) },
  "com.microsoft",
];
const modelOf = (queries: number, keys: number) =>
  smallModel({ nodes: [ordered], inputs: { q: [1, queries, 2], k: [1, keys, 2], v: [1, keys, 2] } });

test("with more keys than queries, unidirectional is refused", () => {
  expect(() => importModel(modelOf(3, 5))).toThrow(/unidirectional, with 3 queries and 5 keys/);
});

test("with more queries than keys, the last ones see all keys", async () => {
  const values = (count: number) =>
    f32(
      Array.from({ length: 2 * count }, (_, i) => Math.sin(3 * i)),
      [1, count, 2],
    );
  const feeds = { q: values(5), k: values(3), v: values(3) };
  const [{ y: wanted }, { y }] = [await inOnnxRuntime(modelOf(5, 3), feeds), await imported(modelOf(5, 3), feeds)];
  // Both are float32.
  for (const [i, value] of wanted!.entries()) expect(y![i]).toBeCloseTo(value, 5);
});
