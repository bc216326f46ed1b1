import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { toOnnx } from "../../graph/export.ts";
import { Graph, type Value } from "../../graph/index.ts";
import { encodeModel } from "../../onnx/encode.ts";
import { decodeModel } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import { OnnxText } from "./onnx-text.ts";

const folder = mkdtempSync(join(tmpdir(), "lore-onnx-text-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { tokenizer } = tinyClip().text!;
const threads = { threads: 1 };
const weights: Tensor = { dtype: "float32", shape: [4], data: Float32Array.of(1, 2, 3, 4) };
let count = 0;

/** A text model over rows of four ids. */
function textModel(build: (g: Graph) => Record<string, Value>, embeddingSize = 4): OnnxText {
  const path = join(folder, `${count++}.onnx`);
  writeFileSync(path, encodeModel(toOnnx(build(new Graph()), { batchAxis: "batch" })).bytes);
  return new OnnxText({ path, tokenizer, embeddingSize, contextLength: 24 });
}

const input = (g: Graph, name: string): Value => g.cast(g.input(name, "int64", [1, 4]), "float32");

test("a mask, where one is asked for, covers each text up to its end marker", async () => {
  const text = textModel((g) => ({ text_embeds: g.add(g.mul(input(g, "input_ids"), 0), input(g, "attention_mask")) }));
  // Four ids, then three.
  expect([...(await text.embed(["red cat", "red"], threads))]).toEqual([1, 1, 1, 1, 1, 1, 1, 0]);
});

test("more texts than a batch holds come out in their order", async () => {
  const text = textModel((g) => ({ text_embeds: input(g, "input_ids") }));
  const all = await text.embed(
    Array.from({ length: 100 }, (_, i) => (i === 70 ? "cat red" : "red cat")),
    threads,
  );
  const [start, red, cat, end] = tokenizer.encode("red cat", 24);
  const rows = Array.from({ length: 100 }, (_, i) => [...all.subarray(4 * i, 4 * i + 4)]);
  for (const [i, row] of rows.entries())
    expect(row).toEqual(i === 70 ? [start, cat, red, end] : [start, red, cat, end]);
});

test("its digest is that of its files", () => {
  const build = (factor: number) => textModel((g) => ({ text_embeds: g.mul(input(g, "input_ids"), factor) }));
  const [one, same, other] = [build(2), build(2), build(3)];
  expect(one.digest).toBe(same.digest);
  expect(one.digest).not.toBe(other.digest);

  // Weights in a file of another name than transformers.js gives it.
  const held = textModel((g) => ({ text_embeds: g.add(input(g, "input_ids"), g.constant(weights)) }));
  const { bytes, external } = encodeModel(decodeModel(readFileSync(held.path)), {
    externalData: { location: "weights.bin", threshold: 8 },
  });
  writeFileSync(held.path, bytes);
  writeFileSync(join(folder, "weights.bin"), external!);
  expect(held.external).toEqual(["weights.bin"]);
  const before = held.digest;
  writeFileSync(
    join(folder, "weights.bin"),
    external!.map((byte) => byte ^ 1),
  );
  expect(held.digest).not.toBe(before);
});

test("its digest is that of its weights in whatever file they lie", () => {
  const path = join(folder, "external.onnx");
  const g = new Graph();
  const table = g.constant({ dtype: "float32", shape: [4, 4], data: new Float32Array(16).fill(2) });
  const model = toOnnx({ text_embeds: g.matMul(input(g, "input_ids"), table) }, { batchAxis: "batch" });
  const { bytes, external } = encodeModel(model, { externalData: { location: "some.weights", threshold: 1 } });
  writeFileSync(path, bytes);
  writeFileSync(join(folder, "some.weights"), external!);
  const text = new OnnxText({ path, tokenizer, embeddingSize: 4, contextLength: 24 });
  const before = text.digest;
  expect(text.digest).toBe(before);
  writeFileSync(
    join(folder, "some.weights"),
    external!.map((byte) => byte ^ 1),
  );
  expect(text.digest).not.toBe(before);
});

test.each<readonly [string, OnnxText, RegExp]>([
  ["another model", textModel((g) => ({ image_embeds: input(g, "pixel_values") })), /image_embeds of pixel_values/],
  ["another embedding", textModel((g) => ({ text_embeds: input(g, "input_ids") }), 5), /needs float32 \[1,5\]/],
  [
    "no ONNX file",
    new OnnxText({ path: join(folder, "none.onnx"), tokenizer, embeddingSize: 4, contextLength: 24 }),
    /cannot run .*none\.onnx/,
  ],
])("refused: %s", async (_, text, message) => {
  const embedding = text.embed(["red cat"], threads);
  await expect(embedding).rejects.toThrow(message);
  await expect(embedding).rejects.toThrow(text.path);
});

test("no texts are refused", async () => {
  const text = textModel((g) => ({ text_embeds: input(g, "input_ids") }));
  await expect(text.embed([], threads)).rejects.toThrow(UsageError);
});
