import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { embedImages } from "../../inference/index.ts";
import { encodeSafetensors, readSafetensors } from "../../safetensors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type LayoutCase, layoutCases, pixelsOf, tensorsOf, writeCase } from "../../testing/pytorch-layouts.ts";
import { randomImages } from "../../testing/tiny.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import type { Encoder } from "../encoder.ts";
import { loadEncoder } from "../load.ts";
import { saveEncoder } from "../saving/save.ts";

const base = mkdtempSync(join(tmpdir(), "lore-unwrapped-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `${count++}`);

type Tensors = ReadonlyMap<string, Tensor>;
const single = { threads: 1 } as const;

function load(given: LayoutCase, tensors: Tensors): Promise<Encoder> {
  const folder = fresh();
  writeCase(folder, given, tensors);
  return loadEncoder(join(folder, given.weights), given.options);
}

const renamed = (tensors: Tensors, rename: (name: string) => string): Tensors =>
  new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]));

const counter: Tensor = { dtype: "int64", shape: [], data: BigInt64Array.of(7n) };

describe("weights under the names that wrappers give", () => {
  test.each(layoutCases)("$title: module., _orig_mod., model., one in another, and in the middle", async (given) => {
    const tensors = tensorsOf(given);
    const wanted = await load(given, tensors);
    const pixels = pixelsOf(given.imageSize);
    const image = await embedImages(wanted, pixels, single);
    for (const rename of [
      (name: string) => `module.${name}`,
      (name: string) => `_orig_mod.${name}`,
      (name: string) => `model.${name}`,
      (name: string) => `module._orig_mod.model.${name}`,
      (name: string) => name.replace(".", "._orig_mod."),
    ]) {
      const encoder = await load(given, renamed(tensors, rename));
      expect([...encoder.parameters.keys()]).toEqual([...wanted.parameters.keys()]);
      expect([encoder.layout, encoder.head === undefined]).toEqual([wanted.layout, wanted.head === undefined]);
      expect(await embedImages(encoder, pixels, single)).toEqual(image);
    }
    const averaged = new Map<string, Tensor>([
      ...renamed(tensors, (name) => `module.${name}`),
      ["n_averaged", counter],
    ]);
    expect(await embedImages(await load(given, averaged), pixels, single)).toEqual(image);
  });

  test("of no known layout: the names are shown as they are", async () => {
    const [given] = layoutCases as readonly [LayoutCase];
    const other = renamed(tensorsOf(given), (name) => `model.x_${name.replaceAll(".", "_")}`);
    const failed = load(given, other);
    await expect(failed).rejects.toThrow(UsageError);
    await expect(failed).rejects.toThrow(
      /Its tensors \(model\.x_\w+, .* and \d+ more\) have the names of no layout known here/,
    );
    const mixed = new Map<string, Tensor>([
      ...renamed(tensorsOf(given), (name) => `model.${name}`),
      ["loss.weight", counter],
    ]);
    await expect(load(given, mixed)).rejects.toThrow(/Its tensors \(model\./);
    const [resnet] = layoutCases.filter(({ title }) => title === "open_clip, QuickGELU");
    const blocks = renamed(tensorsOf(resnet!), (name) =>
      name.replace("visual.class_embedding", "visual.layer1.0.conv1.weight"),
    );
    await expect(load(resnet!, blocks)).rejects.toThrow(/Its vision tower \(visual\..* more\) is neither a ViT/);
  });
});

describe("transformers' CLIP", () => {
  const whole = fresh();
  saveEncoder(tinyClip(), whole);
  const { tensors } = readSafetensors(join(whole, "model.safetensors"));
  const config = JSON.parse(readFileSync(join(whole, "config.json"), "utf8")) as { readonly vision_config: object };
  const pixels = randomImages(3);

  function written(content: Tensors, settings: object = config): string {
    const folder = fresh();
    saveEncoder(tinyClip(), folder);
    rmSync(join(folder, "onnx"), { recursive: true });
    writeFileSync(join(folder, "model.safetensors"), encodeSafetensors(content));
    writeFileSync(join(folder, "config.json"), JSON.stringify(settings));
    return folder;
  }

  const vision = new Map([...tensors].filter(([name]) => name.startsWith("vision_model.")));

  test("a vision tower without projection embeds by the class token, and is saved as what it is", async () => {
    const projected = await embedImages(await loadEncoder(whole), pixels, single);
    const bare = await loadEncoder(written(vision, config.vision_config));
    expect([bare.embeddingSize, bare.text, bare.layout]).toEqual([16, undefined, "transformers-clip"]);
    const pooled = await embedImages(bare, pixels, single);
    const { data: projection } = tensors.get("visual_projection.weight")!;
    for (let i = 0; i < 3; i++)
      for (let d = 0; d < 10; d++) {
        let sum = 0;
        for (let k = 0; k < 16; k++) sum += pooled[16 * i + k]! * Number(projection[16 * d + k]);
        // Float32 sums of 16 products of order 1.
        expect(sum).toBeCloseTo(projected[10 * i + d]!, 4);
      }

    const saved = fresh();
    saveEncoder(bare, saved);
    expect(JSON.parse(readFileSync(join(saved, "config.json"), "utf8"))).toMatchObject({
      architectures: ["CLIPVisionModel"],
      model_type: "clip_vision_model",
    });
    expect([...readSafetensors(join(saved, "model.safetensors")).tensors.keys()].sort()).toEqual(
      [...vision.keys()].sort(),
    );
    expect(await embedImages(await loadEncoder(saved), pixels, single)).toEqual(pooled);
    expect(readdirSync(join(saved, "onnx"))).toEqual(["vision_model.onnx"]);
    // ONNX Runtime itself, on pixels normalised by hand.
    const { mean, std } = bare.normalization;
    const normalized = pixels.map((x, i) => (x - mean[Math.floor(i / 64) % 3]!) / std[Math.floor(i / 64) % 3]!);
    const session = await InferenceSession.create(join(saved, "onnx", "vision_model.onnx"));
    const { pooler_output: output } = await session.run({
      pixel_values: new OrtTensor("float32", normalized, [3, 3, 8, 8]),
    });
    expect(output!.dims).toEqual([3, 16]);
    for (const [i, value] of pooled.entries()) expect((output!.data as Float32Array)[i]).toBeCloseTo(value, 4);
    expect(await embedImages(await loadEncoder(join(saved, "onnx", "vision_model.onnx")), pixels, single)).toHaveLength(
      48,
    );
  });

  test("a text tower without the image's projection is no CLIP", async () => {
    const without = new Map([...tensors].filter(([name]) => name !== "visual_projection.weight"));
    await expect(loadEncoder(written(without))).rejects.toThrow(/visual_projection\.weight is missing/);
  });

  test("logit_scale of shape [1] is the same number; several, or none that is finite, are refused", async () => {
    const scale = (shape: readonly number[], ...values: readonly number[]): Promise<Encoder> =>
      loadEncoder(
        written(new Map(tensors).set("logit_scale", { dtype: "float32", shape, data: Float32Array.from(values) })),
      );
    expect((await scale([1], Math.log(50))).text!.logitScale).toBeCloseTo(50, 3);
    expect((await scale([], Math.log(50))).text!.logitScale).toBeCloseTo(50, 3);
    await expect(scale([2], 1, 2)).rejects.toThrow(/logit_scale holds \[2\] numbers; one finite number is needed/);
    await expect(scale([1], Number.NaN)).rejects.toThrow(/logit_scale holds NaN/);
  });

  test("tensors that nothing would read are refused: an adapter, a head", async () => {
    for (const name of ["vision_model.encoder.layers.0.self_attn.q_proj.lora_A.weight", "classifier.weight"]) {
      const more = new Map(tensors).set(name, { dtype: "float32", shape: [1], data: new Float32Array(1) });
      await expect(loadEncoder(written(more))).rejects.toThrow(`The tensor ${name} belongs to no CLIP`);
    }
    const ids: Tensor = { dtype: "int64", shape: [1, 5], data: new BigInt64Array(5) };
    const buffers = new Map(tensors).set("vision_model.embeddings.position_ids", ids);
    expect((await loadEncoder(written(buffers))).embeddingSize).toBe(10);
    // Another kind of text tower beside the vision tower is left out, as it was.
    const other = new Map(vision).set("visual_projection.weight", tensors.get("visual_projection.weight")!);
    other.set("text_model.roberta.weight", ids);
    expect((await loadEncoder(written(other, config.vision_config))).text).toBeUndefined();
    expect(existsSync(whole)).toBe(true);
  });
});

test("open_clip's vision tower without projection", async () => {
  const given = layoutCases.find(({ title }) => title === "open_clip's vision tower alone, GELU")!;
  const tensors = tensorsOf(given);
  const projection = tensors.get("proj")!;
  tensors.delete("proj");
  const bare = await load(given, tensors);
  const [width, size] = projection.shape as [number, number];
  expect(bare.embeddingSize).toBe(width);
  const pooled = await embedImages(bare, pixelsOf(given.imageSize), single);
  const largest = Math.max(...given.image.map(Math.abs));
  for (let i = 0; i < 2; i++)
    for (let d = 0; d < size; d++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += pooled[width * i + k]! * projection.data[size * k + d]!;
      expect(Math.abs(sum - given.image[size * i + d]!) / largest).toBeLessThan(1e-5);
    }
  const saved = fresh();
  saveEncoder(bare, saved);
  expect(await embedImages(await loadEncoder(saved), pixelsOf(given.imageSize), single)).toEqual(pooled);
});
