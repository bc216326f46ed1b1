import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { Graph } from "../graph/index.ts";
import { compile } from "../runtime/index.ts";
import { decodeSafetensors, encodeSafetensors } from "../safetensors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { layoutCases, tensorsOf, writeCase } from "../testing/pytorch-layouts.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import type { VitEncoder } from "./architectures/vit.ts";
import { classify } from "./classifier.ts";
import { frozenWeights } from "./encoder.ts";
import { loadEncoder } from "./load.ts";
import { saveEncoder } from "./saving/save.ts";

const base = mkdtempSync(join(tmpdir(), "lore-models-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `${count++}`);

const encoder = tinyEncoder({ depth: 2 });

function saved(): string {
  const folder = fresh();
  saveEncoder(encoder, folder);
  return folder;
}

describe("saved and loaded", () => {
  test("parameters, head, architecture and normalisation are the same; so is a second copy's every byte", async () => {
    const folder = saved();
    const loaded = await loadEncoder(folder);
    expect(new Map(loaded.parameters)).toEqual(new Map(encoder.parameters));
    expect(loaded.head).toEqual(encoder.head);
    expect((loaded as VitEncoder).architecture).toEqual(encoder.architecture);
    expect(loaded.normalization).toEqual(encoder.normalization);
    expect([loaded.name, loaded.imageSize, loaded.embeddingSize]).toEqual(["tiny", 8, 16]);
    const again = fresh();
    saveEncoder(loaded, again);
    for (const file of ["model.safetensors", "config.json", "preprocessor_config.json", "onnx/model.onnx"]) {
      expect(readFileSync(join(again, file)).equals(readFileSync(join(folder, file))), file).toBe(true);
    }
  });

  test("without a head", async () => {
    const folder = fresh();
    saveEncoder(tinyEncoder({ classes: 0 }), folder);
    expect((await loadEncoder(folder)).head).toBeUndefined();
  });

  test("by the file, by the folder, by the run folder around it", async () => {
    const run = fresh();
    saveEncoder(encoder, join(run, "encoder"));
    for (const spec of [run, join(run, "encoder"), join(run, "encoder", "model.safetensors")]) {
      expect((await loadEncoder(spec)).parameters).toEqual(encoder.parameters);
    }
  });

  test("open_clip's file wins over the half of a CLIP that timm puts beside it; other files are called by their names", async () => {
    const given = layoutCases[0]!;
    const folder = saved();
    writeCase(folder, given, tensorsOf(given));
    expect((await loadEncoder(folder)).layout).toBe("open-clip");
    const bare = layoutCases.find(({ weights }) => weights === "fare.safetensors")!;
    writeCase(folder, bare, tensorsOf(bare));
    expect((await loadEncoder(join(folder, "fare.safetensors"), { activation: "gelu" })).name).toBe("fare");
  });

  test("at another image size: positions are interpolated, everything else stays", async () => {
    const larger = await loadEncoder(saved(), { imageSize: 16 });
    expect(larger.parameters.get("pos_embed")!.shape).toEqual([1, 17, 16]);
    for (const [name, tensor] of encoder.parameters) {
      if (name !== "pos_embed") expect(larger.parameters.get(name)).toEqual(tensor);
    }
  });

  test("what preprocessor_config.json says is what the encoder does with pixels", () => {
    const config = JSON.parse(readFileSync(join(saved(), "preprocessor_config.json"), "utf8")) as object;
    const { mean, std } = encoder.normalization;
    expect(config).toMatchObject({
      image_mean: mean,
      image_std: std,
      rescale_factor: 1 / 255,
      crop_size: { height: 8, width: 8 },
    });
  });
});

test.each([1, 3])("the ONNX file gives the compiled graph's embeddings and logits for a batch of %d", async (batch) => {
  const pixels = randomImages(batch);
  const g = new Graph();
  const embedding = encoder.embed(g.input("pixels", "float32", [batch, 3, 8, 8]), frozenWeights(g, encoder.parameters));
  const program = await compile({ embedding, logits: classify(embedding, encoder.head!) });
  const wanted = await program.run({ pixels });

  const { mean, std } = encoder.normalization;
  const normalized = pixels.map((x, i) => {
    const channel = Math.floor(i / 64) % 3;
    return (x - mean[channel]!) / std[channel]!;
  });
  const session = await InferenceSession.create(join(saved(), "onnx", "model.onnx"));
  expect([...session.inputNames, ...session.outputNames]).toEqual(["pixel_values", "embedding", "logits"]);
  const got = await session.run({ pixel_values: new OrtTensor("float32", normalized, [batch, 3, 8, 8]) });
  expect(got.embedding!.dims).toEqual([batch, 16]);
  expect(got.logits!.dims).toEqual([batch, 8]);
  for (const name of ["embedding", "logits"] as const) {
    const values = got[name]!.data as Float32Array;
    // Values of order 1; normalisation is one product and one sum here, a difference and a quotient there.
    for (const [i, value] of (wanted[name] as Float32Array).entries()) expect(values[i]).toBeCloseTo(value, 4);
  }
  await session.release();
  await program.dispose();
});

describe("what cannot be loaded", () => {
  /** A saved encoder with its tensors changed. */
  function changed(change: (tensors: Map<string, Tensor>) => void): string {
    const folder = saved();
    const file = join(folder, "model.safetensors");
    const { tensors, metadata } = decodeSafetensors(new Uint8Array(readFileSync(file)));
    change(tensors);
    writeFileSync(file, encodeSafetensors(tensors, metadata));
    return folder;
  }
  const float = (...shape: number[]): Tensor<"float32"> => ({
    dtype: "float32",
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  function withFile(file: string, content: string | undefined): string {
    const folder = saved();
    if (content === undefined) rmSync(join(folder, file));
    else writeFileSync(join(folder, file), content);
    return folder;
  }
  function truncated(): string {
    const folder = saved();
    const file = join(folder, "model.safetensors");
    writeFileSync(file, readFileSync(file).subarray(0, 5000));
    return folder;
  }
  function empty(): string {
    const folder = fresh();
    mkdirSync(folder);
    return folder;
  }
  function pickle(name: string): string {
    const path = join(empty(), name);
    writeFileSync(path, "");
    return path;
  }
  function textFile(): string {
    const file = fresh();
    writeFileSync(file, "hello");
    return file;
  }

  test.each<[string, () => string, RegExp, number?]>([
    ["a file cut short", truncated, /model\.safetensors.*cut short/],
    [
      "a tensor missing",
      () => changed((t) => t.delete("blocks.1.mlp.fc1.bias")),
      /model\.safetensors.*blocks\.1\.mlp\.fc1\.bias is missing/,
    ],
    ["no positions", () => changed((t) => t.delete("pos_embed")), /pos_embed is missing/],
    ["half a head", () => changed((t) => t.delete("head.bias")), /head\.bias is missing/],
    [
      "a tensor of another shape",
      () => changed((t) => t.set("blocks.0.attn.qkv.weight", float(48, 15))),
      /model\.safetensors.*blocks\.0\.attn\.qkv\.weight is float32\[48, 15\].*float32\[48, 16\]/,
    ],
    [
      "a tensor of another type",
      () => changed((t) => t.set("norm.bias", { dtype: "int32", shape: [16], data: new Int32Array(16) })),
      /norm\.bias is int32; float32/,
    ],
    [
      "a head of another width",
      () => changed((t) => t.set("head.weight", float(8, 15))),
      /head\.weight is float32\[8, 15\].*embeddings of 16/,
    ],
    ["a head's bias of another length", () => changed((t) => t.set("head.bias", float(9))), /head\.bias float32\[9\]/],
    [
      "a tensor of an architecture unknown",
      () => changed((t) => t.set("blocks.0.attn.q_norm.weight", float(8))),
      /blocks\.0\.attn\.q_norm\.weight belongs to no plain vision transformer/,
    ],
    [
      "layer scale on one branch of four",
      () => changed((t) => t.set("blocks.0.ls1.gamma", float(16))),
      /blocks\.0\.ls2\.gamma is missing/,
    ],
    [
      "a tensor of a known layer, unknown there",
      () => changed((t) => t.set("blocks.0.norm1.gain", float(16))),
      /blocks\.0\.norm1\.gain belongs to no plain vision transformer/,
    ],
    [
      "another layout",
      () =>
        changed((t) => {
          t.clear();
          t.set("conv1.weight", float(1));
        }),
      /no layout known here \(timm's ViT.*transformers' CLIPModel.*Dinov2Model.*open_clip.*RobustVLM/,
    ],
    ["positions that are no grid", () => changed((t) => t.set("pos_embed", float(1, 8, 16))), /\[1,8,16\]/],
    ["heads not inferable", () => withFile("config.json", undefined), /Width 16.*num_heads in config\.json/],
    [
      "no number of heads",
      () => withFile("config.json", '{"model_args":{"num_heads":0}}'),
      /config\.json.*num_heads is 0/,
    ],
    [
      "heads that do not divide the width",
      () => withFile("config.json", '{"model_args":{"num_heads":3}}'),
      /16 does not divide into 3 heads/,
    ],
    ["a damaged config.json", () => withFile("config.json", '{"architecture": '), /config\.json is not valid JSON/],
    ["an image size that does not fit", saved, /Image size 10 .*multiple of its patch size 4/, 10],
    ["an image size smaller than a patch", saved, /Image size 2 .*patch size 4/, 2],
    ["a path that is not there", fresh, /no such file or folder/],
    ["a folder without weights", empty, /neither model\.safetensors nor encoder\/model\.safetensors/],
    ["a file of another kind", textFile, /only \.safetensors/],
    ["a pickle", () => pickle("fare.pt"), /is a pickle file.*save_file/s],
    ["a folder of pickles", () => dirname(pickle("pytorch_model.bin")), /pytorch_model\.bin is a pickle file/],
  ])("%s", async (_, make, message, imageSize) => {
    const spec = make();
    const loading = loadEncoder(spec, imageSize === undefined ? {} : { imageSize });
    await expect(loading).rejects.toThrow(UsageError);
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toThrow(spec);
  });
});
