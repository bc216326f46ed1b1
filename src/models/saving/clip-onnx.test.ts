import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { toOnnx } from "../../graph/export.ts";
import { Graph } from "../../graph/index.ts";
import { encodeModel } from "../../onnx/encode.ts";
import type { OnnxModel } from "../../onnx/model.ts";
import { randomImages } from "../../testing/tiny.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import { VitEncoder } from "../architectures/vit.ts";
import { OnnxText } from "../text/onnx-text.ts";
import { modelCard } from "./card.ts";
import { saveEncoder } from "./save.ts";

const base = mkdtempSync(join(tmpdir(), "lore-clip-onnx-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;

const clip = tinyClip();
const size = clip.embeddingSize;
const { tokenizer } = clip.text!;
const table = new Float32Array(6 * size).map((_, i) => Math.cos(i));

/** A text model over rows of four ids: products with a table, behind an If that reads a value from outside. */
function textModel(opset: number): OnnxModel {
  const g = new Graph();
  const ids = g.cast(g.input("input_ids", "int64", [1, 4]), "float32");
  const mask = g.cast(g.input("attention_mask", "int64", [1, 4]), "float32");
  const features = g.concat([g.mul(g.mul(ids, 1e-3), mask), g.slice(mask, { starts: [2], ends: [4], axes: [1] })], 1);
  const made = g.matMul(features, g.constant({ dtype: "float32", shape: [6, size], data: table }));
  const model = toOnnx({ text_embeds: made }, { opset, batchAxis: "batch_size" });
  const { graph } = model;
  const last = graph.nodes.at(-1)!;
  const branch = (op: string) => ({
    kind: "graph" as const,
    value: {
      name: op,
      nodes: [{ op, domain: "", name: "n", inputs: ["made"], outputs: [`${op}_made`], attributes: {} }],
      inputs: [],
      outputs: [{ name: `${op}_made`, dtype: "float32" as const, shape: ["batch_size", size] }],
      initializers: new Map(),
    },
  });
  const choice = {
    op: "If",
    domain: "",
    name: "choice",
    inputs: ["yes"],
    outputs: ["text_embeds"],
    attributes: { then_branch: branch("Neg"), else_branch: branch("Identity") },
  };
  return {
    ...model,
    graph: {
      ...graph,
      nodes: [...graph.nodes.slice(0, -1), { ...last, outputs: ["made"] }, choice],
      initializers: new Map([
        ...graph.initializers,
        ["yes", { dtype: "bool", shape: [], data: Uint8Array.of(1) }] as const,
      ]),
    },
  };
}

/** The tiny CLIP with that text tower. */
function withText(model: OnnxModel, external = false): VitEncoder {
  const folder = join(base, `${count++}`);
  mkdirSync(folder);
  const path = join(folder, "text_model.onnx");
  const options = { externalData: { location: "text_model.onnx_data", threshold: 16 } };
  const encoded = encodeModel(model, external ? options : {});
  writeFileSync(path, encoded.bytes);
  if (encoded.external) writeFileSync(`${path}_data`, encoded.external);
  const text = new OnnxText({ path, tokenizer, embeddingSize: size, contextLength: 24, logitScale: 50 });
  return new VitEncoder({ ...clip, text });
}

function saved(encoder: VitEncoder): { readonly folder: string; readonly onnx: (name: string) => string } {
  const folder = join(base, `${count++}`);
  saveEncoder(encoder, folder);
  return { folder, onnx: (name) => join(folder, "onnx", name) };
}

async function run(path: string, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const result = await session.run(feeds);
  await session.release();
  return result as Record<string, Tensor>;
}

describe("a text tower that is an ONNX file", () => {
  const texts = ["red cat", "a photo", "cat"];
  const rows = texts.map((text) => tokenizer.encode(text, 24));
  const end = tokenizer.end;

  test.each([
    [13, 13, false],
    [14, 14, true],
    [17, 17, false],
    [21, 24, false],
  ])(
    "of opset %i, declared %i, weights beside it: %s: copied, and joined with the images",
    async (written, opset, external) => {
      const model = textModel(written);
      const irVersion = opset > 21 ? 10 : model.irVersion;
      const encoder = withText({ ...model, irVersion, opsets: new Map([["", opset]]) }, external);
      const { onnx, folder } = saved(encoder);
      const { path } = encoder.text as OnnxText;
      expect(readFileSync(onnx("text_model.onnx")).equals(readFileSync(path))).toBe(true);
      if (external) expect(readFileSync(onnx("text_model.onnx_data")).equals(readFileSync(`${path}_data`))).toBe(true);
      const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
      expect(config["transformers.js_config"]).toEqual({
        dtype: "fp32",
        ...(external && { use_external_data_format: { "text_model.onnx": 1 } }),
      });

      const padded = rows.map((row) => [...row, end, end].slice(0, 4));
      const mask = rows.map((row) => padded[0]!.map((_, i) => (i < row.length ? 1 : 0)));
      const pixels = new Tensor("float32", randomImages(2, { low: -2, high: 2 }), [2, 3, 8, 8]);
      const int64 = (values: readonly (readonly number[])[]) =>
        new Tensor("int64", BigInt64Array.from(values.flat(), BigInt), [texts.length, 4]);
      const { logits_per_image, logits_per_text } = await run(onnx("model.onnx"), {
        input_ids: int64(padded),
        attention_mask: int64(mask),
        pixel_values: pixels,
      });
      const { image_embeds } = await run(onnx("vision_model.onnx"), { pixel_values: pixels });
      const images = image_embeds!.data as Float32Array;
      const words = await encoder.text!.embed(texts, { threads: 1 });
      const wanted = [0, 1].map((i) =>
        texts.map(
          (_, j) => 50 * cosine(images.subarray(i * size, (i + 1) * size), words.subarray(j * size, (j + 1) * size)),
        ),
      );
      expect(logits_per_image!.dims).toEqual([2, 3]);
      expect(logits_per_text!.dims).toEqual([3, 2]);
      for (const [i, row] of wanted.entries()) {
        for (const [j, logit] of row.entries()) {
          // Cosines of float32 sums, good to some 1e-7 each, times 50.
          expect(logits_per_image!.data[3 * i + j]).toBeCloseTo(logit, 4);
          expect(logits_per_text!.data[2 * j + i]).toBeCloseTo(logit, 4);
        }
      }
      expect(new Set(wanted.flat().map((logit) => logit.toFixed(2))).size).toBe(6);
      expect(modelCard(encoder, {})).toContain('zero-shot-image-classification", ');
    },
  );

  test("that cannot be taken apart is copied, and joined with nothing", async () => {
    const model = textModel(13);
    const old = withText({ ...model, opsets: new Map([["", 12]]) });
    const { onnx } = saved(old);
    expect(readFileSync(onnx("text_model.onnx")).equals(readFileSync((old.text as OnnxText).path))).toBe(true);
    expect(() => readFileSync(onnx("model.onnx"))).toThrow(/no such file/);
    expect(modelCard(old, {})).not.toContain('zero-shot-image-classification", ');
  });

  test("without its weights is refused when it is opened, not when it is saved after training", () => {
    const { path } = withText(textModel(13), true).text as OnnxText;
    rmSync(`${path}_data`);
    const open = () => OnnxText.open({ path, tokenizer, embeddingSize: size, contextLength: 24 });
    expect(open).toThrow(UsageError);
    expect(open).toThrow(/text_model\.onnx: its weights lie in text_model\.onnx_data beside it, which is not there/);
  });
});

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
