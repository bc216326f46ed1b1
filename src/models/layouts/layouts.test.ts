import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { UsageError } from "../../errors.ts";
import { type FileContent, writeAtomically } from "../../files.ts";
import { Graph } from "../../graph/index.ts";
import { compile } from "../../runtime/index.ts";
import { readSafetensors } from "../../safetensors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type LayoutCase, layoutCases, pixelsOf, tensorsOf, texts, writeCase } from "../../testing/pytorch-layouts.ts";
import type { VitEncoder } from "../architectures/vit.ts";
import { classify } from "../classifier.ts";
import { type Encoder, frozenWeights } from "../encoder.ts";
import { loadEncoder } from "../load.ts";
import { timmFiles } from "../saving/timm-files.ts";
import { writeClip } from "./clip.ts";
import { dinov2Files } from "./dinov2.ts";
import { openClipFiles } from "./open-clip.ts";

const base = mkdtempSync(join(tmpdir(), "lore-layouts-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `${count++}`);

function load(given: LayoutCase, changes: Partial<LayoutCase> = {}, tensors = tensorsOf(given)): Promise<Encoder> {
  const folder = fresh();
  const changed = { ...given, ...changes };
  writeCase(folder, changed, tensors);
  return loadEncoder(join(folder, changed.weights), changed.options);
}

async function run(encoder: Encoder): Promise<Record<string, Float32Array>> {
  const { imageSize, head, parameters } = encoder;
  const g = new Graph();
  const weights = frozenWeights(g, parameters);
  const pixels = g.input("pixels", "float32", [2, 3, imageSize, imageSize]);
  const image = encoder.embed(pixels, weights);
  const [gradient] = gradients(g.reduceSum(g.mul(image, image)), [pixels]);
  const logits = head && classify(encoder.headFeatures(pixels, weights), head);
  const program = await compile({ image, gradient: gradient!, ...(logits && { logits }) }, { threads: 1 });
  const result = await program.run({ pixels: pixelsOf(imageSize) });
  const copies = Object.entries(result).map(([name, data]) => [name, (data as Float32Array).slice()] as const);
  await program.dispose();
  return Object.fromEntries(copies);
}

/** Float32 against float64: 1e-5 of the largest value leaves room for some twenty layers' roundings of 6e-8 each. */
function expectClose(got: ArrayLike<number>, wanted: readonly number[]): void {
  const largest = Math.max(...wanted.map(Math.abs));
  expect(got.length).toBe(wanted.length);
  const worst = Math.max(...wanted.map((value, i) => Math.abs(got[i]! - value)));
  expect(worst / largest).toBeLessThan(1e-5);
}

const named = (title: string): LayoutCase => layoutCases.find((given) => given.title === title)!;
const openClip = named("open_clip, QuickGELU");
const convNext = named("open_clip, ConvNeXt");
const alone = named("open_clip's vision tower alone, GELU");
const convNextAlone = named("open_clip's ConvNeXt alone");
const dino = named("transformers Dinov2ForImageClassification");
const ownDino = named("DINOv2's own state dict");

test.each(layoutCases)("$title: embeddings, logits and derivatives as PyTorch's", async (given) => {
  const encoder = await load(given);
  expect(encoder.imageSize).toBe(given.imageSize);
  const { image, gradient, logits } = await run(encoder);
  expectClose(image!, given.image);
  const samples = gradient!.filter((_, i) => i % given.gradientStride === 0);
  expectClose(samples, given.gradient);
  if (given.logits) expectClose(logits!, given.logits);
  else expect(encoder.head).toBeUndefined();
  if (given.text) expectClose(await encoder.text!.embed(texts, { threads: 1 }), given.text);
  else expect(encoder.text).toBeUndefined();
});

function written(encoder: Encoder): ReadonlyMap<string, FileContent> {
  switch (encoder.layout) {
    case "transformers-clip":
      return writeClip(encoder as VitEncoder);
    case "transformers-dinov2":
      return dinov2Files(encoder as VitEncoder);
    case "timm":
      return timmFiles(encoder as VitEncoder);
    default:
      return openClipFiles(encoder);
  }
}

function save(encoder: Encoder): string {
  const folder = fresh();
  for (const [name, content] of written(encoder)) writeAtomically(join(folder, name), content);
  return folder;
}

describe("written", () => {
  test.each(layoutCases)("$title: the tensors that were read; from them, every byte again", async (given) => {
    const first = save(await load(given));
    const second = save(await loadEncoder(first));
    const files = readdirSync(first);
    expect(readdirSync(second)).toEqual(files);
    for (const name of files) {
      expect(readFileSync(join(second, name)).equals(readFileSync(join(first, name))), name).toBe(true);
    }
    if (given === dino) return;
    const { tensors } = readSafetensors(join(first, files.find((name) => name.endsWith(".safetensors"))!));
    const wanted = tensorsOf(given);
    wanted.delete("mask_token");
    expect(new Map([...tensors].sort())).toEqual(new Map([...wanted].sort()));
  });

  test("a DINOv2 loses the mask token, and its positions are those of its image size", async () => {
    const folder = save(await load(dino));
    const { tensors } = readSafetensors(join(folder, "model.safetensors"));
    const { "dinov2.embeddings.mask_token": _, ...shapes } = dino.shapes;
    expect(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]))).toEqual({
      ...shapes,
      "dinov2.embeddings.position_embeddings": [1, 10, 12],
    });
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as object;
    expect(config).toMatchObject({ image_size: 42, use_mask_token: false, id2label: { 3: "LABEL_3" } });
  });

  test("open_clip_config.json says what its reader needs", async () => {
    const text = (name: string): unknown => JSON.parse(readFileSync(name, "utf8"));
    const { vision_cfg, text_cfg } = (
      text(join(save(await load(named("open_clip, GELU"))), "open_clip_config.json")) as {
        readonly model_cfg: { readonly vision_cfg: object; readonly text_cfg: object };
      }
    ).model_cfg;
    // open_clip takes int(width * mlp_ratio): 20 of 12, 24 of 8.
    expect(vision_cfg).toEqual({
      image_size: 8,
      layers: 2,
      width: 12,
      head_width: 4,
      patch_size: 4,
      mlp_ratio: 20.5 / 12,
    });
    expect(text_cfg).toMatchObject({
      context_length: 16,
      vocab_size: 514,
      width: 8,
      heads: 2,
      layers: 2,
      mlp_ratio: 3,
    });
  });
});

describe("what the files leave open", () => {
  test("the text tower is left out where no tokeniser lies beside it", async () => {
    const { text, ...given } = openClip;
    const folder = fresh();
    writeCase(folder, given, tensorsOf(given));
    expect([text?.length, (await loadEncoder(folder)).text]).toEqual([18, undefined]);
  });

  test("a bare vision tower has heads of 64, but where its width says otherwise", async () => {
    const heads = async (width: number): Promise<number> => {
      const shapes = Object.fromEntries(
        Object.entries(alone.shapes).map(([name, shape]) => [
          name,
          shape.map((size) => (size === 64 ? width : size === 192 ? 3 * width : size)),
        ]),
      );
      return ((await load({ ...alone, shapes })) as VitEncoder).architecture.heads;
    };
    expect([await heads(128), await heads(1280)]).toEqual([2, 16]);
  });

  test("DINOv2 without its head, and without the prefix that goes with it", async () => {
    const tensors = new Map(
      [...tensorsOf(dino)]
        .filter(([name]) => name.startsWith("dinov2."))
        .map(([name, tensor]) => [name.slice("dinov2.".length), tensor]),
    );
    const encoder = await load(dino, {}, tensors);
    expect(encoder.head).toBeUndefined();
    expectClose((await run(encoder)).image!, dino.image);
  });

  test("a classifier of the class token alone reads it alone", async () => {
    const tensors = tensorsOf(dino);
    const weight: Tensor<"float32"> = { dtype: "float32", shape: [4, 12], data: new Float32Array(48) };
    weight.data.fill(1, 0, 12);
    const encoder = await load(dino, {}, tensors.set("classifier.weight", weight));
    const { logits, image } = await run(encoder);
    const bias = tensors.get("classifier.bias")!.data[0]!;
    const sum = image!.subarray(0, 12).reduce((a, b) => a + b, bias);
    // A sum of 13 float32 numbers of order 1.
    expect(logits![0]).toBeCloseTo(sum, 4);
  });

  test("without preprocessor_config.json, DINOv2's images have the size that config.json says", async () => {
    const { "config.json": config } = dino.files;
    expect((await load(dino, { files: { "config.json": config! } })).imageSize).toBe(70);
  });
});

describe("what cannot be read", () => {
  const plus = (given: LayoutCase, name: string, shape: readonly number[] = [1]): Promise<Encoder> =>
    load(given, {}, tensorsOf({ shapes: { ...given.shapes, [name]: shape } }));
  const without = (given: LayoutCase, name: string): Promise<Encoder> => {
    const tensors = tensorsOf(given);
    tensors.delete(name);
    return load(given, {}, tensors);
  };
  const setting = (given: LayoutCase, tower: "vision_cfg" | "text_cfg", more: object): Promise<Encoder> => {
    const { model_cfg } = given.files["open_clip_config.json"] as { readonly model_cfg: Record<string, object> };
    const config = { model_cfg: { ...model_cfg, [tower]: { ...model_cfg[tower], ...more } } };
    return load(given, { files: { "open_clip_config.json": config } });
  };
  const dinoConfig = (more: object): Promise<Encoder> =>
    load(dino, { files: { ...dino.files, "config.json": { ...dino.files["config.json"], ...more } } });

  test.each<[string, () => Promise<Encoder>, RegExp]>([
    [
      "an activation nobody stated",
      () => load(openClip, { files: {} }),
      /open_clip_config\.json.*--activation quick_gelu.*activation: "quickGelu".*OpenAI.*LAION/,
    ],
    ["the same of a vision tower alone", () => load(alone, { options: {} }), /--activation/],
    [
      "heads that do not divide",
      () => setting(openClip, "vision_cfg", { head_width: 5 }),
      /width 12 .*heads of 5.*head_width/,
    ],
    [
      "an average of patches",
      () => setting(openClip, "vision_cfg", { pool_type: "avg" }),
      /pools its tokens by avg; only tok/,
    ],
    ["a text tower that looks ahead", () => setting(openClip, "text_cfg", { no_causal_mask: true }), /no_causal_mask/],
    [
      "GELU by tanh",
      () => setting(openClip, "vision_cfg", { act_kwargs: { approximate: "tanh" } }),
      /approximate is tanh/,
    ],
    ["a ResNet", () => without(openClip, "visual.class_embedding"), /neither a ViT .* nor a ConvNeXt/],
    [
      "layer scale, which open_clip's ViT has at times",
      () => plus(openClip, "visual.transformer.resblocks.0.ls_1.gamma"),
      /ls_1\.gamma belongs to no/,
    ],
    [
      "another text tower",
      () => plus(convNext, "text.transformer.wte.weight"),
      /text\.transformer\.wte\.weight belongs to no/,
    ],
    ["a tensor missing", () => without(alone, "transformer.resblocks.0.attn.in_proj_bias"), /in_proj_bias is missing/],
    ["a ConvNeXt's image size nobody stated", () => load(convNextAlone, { options: {} }), /--image-size/],
    [
      "a ConvNeXt's image size that does not fit",
      () => load(convNextAlone, { options: { imageSize: 40 } }),
      /40 .*multiple of its stride 16/,
    ],
    [
      "a ConvNeXt's tensor of another shape",
      () =>
        load({
          ...convNextAlone,
          shapes: { ...convNextAlone.shapes, "trunk.stages.1.blocks.0.conv_dw.weight": [8, 1, 5, 5] },
        }),
      /conv_dw\.weight is float32\[8, 1, 5, 5\].*\[8, 1, 7, 7\]/,
    ],
    ["an attention pool", () => setting(convNext, "vision_cfg", { timm_pool: "rot_attn" }), /timm_pool is rot_attn/],
    ["registers", () => plus(dino, "dinov2.embeddings.register_tokens"), /registers/],
    ["registers in DINOv2's own names", () => plus(ownDino, "register_tokens"), /register_tokens belongs to no plain/],
    ["SwiGLU", () => dinoConfig({ use_swiglu_ffn: true }), /SwiGLU/],
    ["another activation", () => dinoConfig({ hidden_act: "relu" }), /hidden_act is relu/],
    ["an image size that is no multiple of 14", () => load(dino, { options: { imageSize: 50 } }), /50 .*patch size 14/],
    [
      "a classifier over several layers",
      () => load({ ...dino, shapes: { ...dino.shapes, "classifier.weight": [4, 60] } }),
      /reads 60 features; 12 .* or 24/,
    ],
  ])("%s", async (_, loading, message) => {
    const failed = loading();
    await expect(failed).rejects.toThrow(UsageError);
    await expect(failed).rejects.toThrow(message);
  });
});
