import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { encodeModel, type OnnxModel } from "../../onnx/index.ts";
import { residualNetwork } from "../../testing/onnx-networks.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import { saveFloat16Copies } from "./float16-copies.ts";
import { saveEncoder } from "./save.ts";

const folder = mkdtempSync(join(tmpdir(), "lore-float16-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const onnx = (path = folder) => readdirSync(join(path, "onnx")).sort();
const size = (name: string): number => statSync(join(folder, "onnx", name)).size;

test("every model of a folder gets a copy of half the weights, close to it; made anew, they are the same", async () => {
  const encoder = tinyClip();
  saveEncoder(encoder, folder);
  const copies = await saveFloat16Copies(folder, encoder.imageSize);
  const names = ["model_fp16.onnx", "text_model_fp16.onnx", "vision_model_fp16.onnx"];
  expect(copies.map(({ path }) => path).sort()).toEqual(names.map((name) => `onnx/${name}`));
  expect(onnx().filter((name) => name.includes("_fp16"))).toEqual(names);
  // Some layers, each rounded to 11 bits (5e-4): below that sum, and not computed in float32 either.
  for (const { difference } of copies) {
    expect(difference).toBeLessThan(1e-2);
    expect(difference).toBeGreaterThan(1e-5);
  }
  expect(size("vision_model_fp16.onnx")).toBeLessThan(0.8 * size("vision_model.onnx"));
  expect(await saveFloat16Copies(folder, encoder.imageSize)).toEqual(copies);
});

test("a model that overflows in float16 is named and leaves no copy; the others' stay", async () => {
  const path = join(folder, "onnx/model.onnx");
  const network = residualNetwork();
  const initializers = new Map(network.graph.initializers);
  const { data, ...rest } = initializers.get("stem.weight")!;
  initializers.set("stem.weight", { ...rest, data: (data as Float32Array).map((x) => 1e6 * x) } as typeof rest & {
    data: Float32Array;
  });
  // Without the normalisation that divides by as much, values pass 65504.
  const model: OnnxModel = { ...network, graph: { ...network.graph, initializers } };
  writeFileSync(path, encodeModel(model).bytes);
  await expect(saveFloat16Copies(folder, 16)).rejects.toThrow(
    "There is no float16 copy of model.onnx: in float16 its values overflow.",
  );
  expect(onnx().filter((name) => name.includes("_fp16"))).toEqual(["text_model_fp16.onnx", "vision_model_fp16.onnx"]);
});
