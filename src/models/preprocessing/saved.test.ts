import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { describeFraming, type Framing, usualFraming } from "../../framing.ts";
import { encodeModel } from "../../onnx/index.ts";
import { residualNetwork } from "../../testing/onnx-networks.ts";
import { layoutCases, tensorsOf, writeCase } from "../../testing/pytorch-layouts.ts";
import { tinyEncoder } from "../../testing/tiny.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import { VitEncoder } from "../architectures/vit.ts";
import type { Encoder } from "../encoder.ts";
import { loadEncoder } from "../load.ts";
import { saveEncoder } from "../saving/save.ts";

const base = mkdtempSync(join(tmpdir(), "lore-preprocessing-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `${count++}`);

function saved(encoder: Encoder): string {
  const folder = fresh();
  saveEncoder(encoder, folder);
  return folder;
}

const json = (folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Json;
interface Json {
  readonly [name: string]: Json;
}
const write = (folder: string, name: string, content: object): void =>
  writeFileSync(join(folder, name), JSON.stringify(content));

const normalization = { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] } as const;
const preprocessed = {
  size: { shortest_edge: 12 },
  resample: 2,
  image_mean: normalization.mean,
  image_std: normalization.std,
};

/** Folders of each kind of encoder whose preprocessor_config.json is the only word on images. */
const folders: readonly (readonly [string, number, (name: string) => Promise<string>])[] = [
  ["CLIP", 8, async () => saved(tinyClip())],
  [
    "DINOv2",
    28,
    async () => {
      const folder = fresh();
      const given = layoutCases.find(({ title }) => title.startsWith("transformers Dinov2"))!;
      writeCase(folder, given, tensorsOf(given));
      return folder;
    },
  ],
  [
    "ONNX",
    16,
    async () => {
      const folder = saved(tinyClip());
      for (const name of ["model.safetensors", "onnx"]) rmSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, "net.onnx"), encodeModel(residualNetwork()).bytes);
      return folder;
    },
  ],
];

describe.each(folders)("%s", (_, size, make) => {
  test.each<readonly [object, string]>([
    [{ crop_size: size }, "shorter edge to 12 pixels (bilinear), centre S cut out"],
    [
      { crop_size: { height: size, width: size }, size: size + 3, resample: 1 },
      "shorter edge to S+3 pixels (lanczos), centre S cut out",
    ],
    [{ size: { height: size, width: size }, resample: 5 }, "stretched to S pixels (hamming)"],
    [
      { size: { height: size + 2, width: size + 1 }, crop_size: size, do_center_crop: true },
      "stretched to S+1 x S+2 pixels (bilinear), centre S cut out",
    ],
    [{ do_resize: false, crop_size: size }, "not resized, centre S cut out"],
    [{ do_resize: false, do_center_crop: false, crop_size: size }, "taken as they are, S pixels"],
  ])("%j is read, saved in words that all readers know, and read again", async (change, description) => {
    const folder = await make("");
    write(folder, "preprocessor_config.json", { ...preprocessed, ...change });
    const encoder = await loadEncoder(folder);
    const wanted = description
      .replace(/S\+(\d)/g, (__, more) => String(size + Number(more)))
      .replace(/S/g, `${size} x ${size}`);
    expect([encoder.imageSize, describeFraming(encoder.framing)]).toEqual([size, wanted]);
    expect(encoder.normalization).toEqual(normalization);
    const again = await loadEncoder(saved(encoder));
    expect([again.framing, again.normalization]).toEqual([encoder.framing, encoder.normalization]);
    const content = json(saved(encoder), "preprocessor_config.json");
    expect(content.image_processor_type).toBe("CLIPImageProcessor");
    for (const field of ["do_resize", "do_center_crop", "do_rescale", "do_normalize", "crop_size"])
      expect(content[field], field).toBeDefined();
  });

  test("what cannot be computed is refused by name", async () => {
    const folder = await make("");
    write(folder, "preprocessor_config.json", { ...preprocessed, crop_size: size, do_pad: true });
    await expect(loadEncoder(folder)).rejects.toThrow(/preprocessor_config\.json: it asks for do_pad/);
  });
});

test("transformers' new file for all processors is read where the old one is not there", async () => {
  const folder = saved(tinyClip());
  const image_processor = { ...json(folder, "preprocessor_config.json"), size: { shortest_edge: 11 } };
  rmSync(join(folder, "preprocessor_config.json"));
  write(folder, "processor_config.json", { processor_class: "CLIPProcessor", image_processor });
  expect(describeFraming((await loadEncoder(folder)).framing)).toMatch(/shorter edge to 11 .* 8 x 8/);
});

test("another image size scales the resize, and is saved", async () => {
  const folder = saved(tinyClip());
  write(folder, "preprocessor_config.json", { ...preprocessed, size: { shortest_edge: 10 }, crop_size: 8 });
  const larger = await loadEncoder(folder, { imageSize: 16 });
  expect(describeFraming(larger.framing)).toMatch(/shorter edge to 20 .* 16 x 16/);
  const content = json(saved(larger), "preprocessor_config.json");
  expect(content).toMatchObject({ size: { shortest_edge: 20 }, crop_size: { height: 16, width: 16 } });
});

test("weights made for one size and a file that says another are refused, unless it is said which", async () => {
  const folder = saved(tinyClip());
  write(folder, "preprocessor_config.json", { ...preprocessed, size: 16, crop_size: 16 });
  await expect(loadEncoder(folder)).rejects.toThrow(
    /made for images of 8 pixels, and preprocessor_config\.json makes images of 16: say --image-size 8 or --image-size 16/,
  );
  expect((await loadEncoder(folder, { imageSize: 16 })).framing.resize).toMatchObject({ edge: 16 });
});

test("without any file the present rule stays", async () => {
  const folder = saved(tinyClip());
  rmSync(join(folder, "preprocessor_config.json"));
  const encoder = await loadEncoder(folder);
  expect(encoder.framing).toEqual(usualFraming(8));
  // Saved, it is said how it rounds, which transformers does otherwise.
  expect((await loadEncoder(saved(encoder))).framing).toEqual(usualFraming(8));
});

describe("timm", () => {
  const of = (fields: object): string => {
    const folder = saved(tinyEncoder());
    rmSync(join(folder, "preprocessor_config.json"));
    const { pretrained_cfg, ...config } = json(folder, "config.json");
    write(folder, "config.json", { ...config, pretrained_cfg: { ...pretrained_cfg, ...fields } });
    return folder;
  };

  // scale_size = floor(img_size / crop_pct) of timm's transforms_imagenet_eval.
  test.each<readonly [object, string]>([
    [{ crop_pct: 0.875 }, "shorter edge to 9 pixels (bicubic), centre 8 x 8 cut out"],
    [{ crop_pct: 0.9, interpolation: "bilinear" }, "shorter edge to 8 pixels (bilinear), centre 8 x 8 cut out"],
    [{ crop_pct: 0.5, interpolation: "lanczos" }, "shorter edge to 16 pixels (lanczos), centre 8 x 8 cut out"],
    [{ crop_pct: 1, crop_mode: "squash" }, "stretched to 8 x 8 pixels (bicubic)"],
    [{ crop_pct: 0.8, crop_mode: "squash" }, "stretched to 10 x 10 pixels (bicubic), centre 8 x 8 cut out"],
    [{ crop_pct: null }, "shorter edge to 9 pixels (bicubic), centre 8 x 8 cut out"],
  ])("%j", async (fields, description) => {
    const encoder = await loadEncoder(of(fields));
    expect(describeFraming(encoder.framing)).toBe(description);
    const folder = saved(encoder);
    expect((await loadEncoder(folder)).framing).toEqual(encoder.framing);
    // The other file says the same, for transformers.js.
    rmSync(join(folder, "config.json"));
    write(folder, "config.json", { model_args: { num_heads: 2 } });
    expect(describeFraming((await loadEncoder(folder)).framing)).toBe(description);
  });

  test("the saved share is timm's own", async () => {
    const encoder = new VitEncoder({
      ...tinyEncoder({ imageSize: 224 }),
      framing: { size: 224, resize: { kind: "shortest", edge: 248, filter: "bicubic" }, crop: "even" },
    });
    expect(json(saved(encoder), "config.json").pretrained_cfg!.crop_pct).toBe(0.9);
  });

  test("older files have the fields at the top", async () => {
    const folder = of({});
    const { pretrained_cfg, ...config } = json(folder, "config.json");
    write(folder, "config.json", { ...config, ...pretrained_cfg, crop_pct: 0.8 });
    expect(describeFraming((await loadEncoder(folder)).framing)).toMatch(/shorter edge to 10/);
  });

  test.each<readonly [object, RegExp]>([
    [{ crop_mode: "border" }, /pretrained_cfg: crop_mode is "border"; center and squash/],
    [{ interpolation: "random" }, /interpolation is "random"/],
    [{ crop_pct: 0 }, /crop_pct is 0/],
    [{ input_space: "BGR" }, /input_space is "BGR"; RGB/],
    [{ input_size: [3, 8, 12] }, /input_size is \[3,8,12\]; three channels of a square/],
    [{ input_size: [3, 16, 16] }, /made for images of 8 pixels, and config\.json: pretrained_cfg makes images of 16/],
  ])("%j is refused by name", async (fields, message) => {
    await expect(loadEncoder(of(fields))).rejects.toThrow(message);
  });

  test("two files that contradict each other: one counts, and it is said", async () => {
    const folder = of({ crop_pct: 0.8 });
    write(folder, "preprocessor_config.json", { size: 8, crop_size: 8 });
    const onWarning = vi.fn();
    expect(describeFraming((await loadEncoder(folder, { onWarning })).framing)).toMatch(/shorter edge to 10/);
    expect(onWarning).toHaveBeenCalledWith(
      expect.stringMatching(
        /pretrained_cfg and preprocessor_config\.json say different things.*edge to 10 .*edge to 8 /,
      ),
    );
    write(folder, "preprocessor_config.json", {
      size: 10,
      crop_size: 8,
      image_mean: [0.48, 0.46, 0.41],
      image_std: [0.23, 0.22, 0.225],
    });
    const quiet = vi.fn();
    await loadEncoder(folder, { onWarning: quiet });
    expect(quiet).not.toHaveBeenCalled();
  });

  test("what its config.json has no words for is refused when it is opened", async () => {
    const folder = saved(tinyEncoder());
    write(folder, "config.json", { model_args: { num_heads: 2 } });
    write(folder, "preprocessor_config.json", { do_resize: false, crop_size: 8 });
    await expect(loadEncoder(folder)).rejects.toThrow(
      /timm's config\.json has no words.*not resized, centre 8 x 8 cut out/,
    );
  });
});

describe("open_clip", () => {
  const of = (fields: object): string => {
    const folder = fresh();
    const given = layoutCases.find(({ title }) => title === "open_clip, GELU")!;
    writeCase(folder, given, tensorsOf(given));
    const config = json(folder, "open_clip_config.json");
    write(folder, "open_clip_config.json", { ...config, preprocess_cfg: { ...config.preprocess_cfg, ...fields } });
    return folder;
  };

  test.each<readonly [object, RegExp, object]>([
    [{}, /^shorter edge to (\d+) pixels \(bicubic\), centre \1 x \1 cut out$/, { resize_mode: "shortest" }],
    [{ interpolation: "bilinear" }, /^shorter edge to .*\(bilinear\)/, { interpolation: "bilinear" }],
    [{ resize_mode: "squash" }, /^stretched to (\d+) x \1 pixels \(bicubic\)$/, { resize_mode: "squash" }],
  ])("%j", async (fields, description, written) => {
    const encoder = await loadEncoder(of(fields));
    expect(describeFraming(encoder.framing)).toMatch(description);
    const folder = saved(encoder);
    expect(json(folder, "open_clip_config.json").preprocess_cfg).toMatchObject(written);
    expect((await loadEncoder(folder)).framing).toEqual(encoder.framing);
  });

  test.each<readonly [object, RegExp]>([
    [{ resize_mode: "longest" }, /preprocess_cfg: resize_mode is "longest"; shortest and squash/],
    [{ mode: "L" }, /mode is "L"; RGB/],
    [{ interpolation: "random" }, /interpolation is "random"/],
  ])("%j is refused by name", async (fields, message) => {
    await expect(loadEncoder(of(fields))).rejects.toThrow(message);
  });
});

test("an ONNX file's other configurations say the same once it is saved", async () => {
  const folder = fresh();
  saveEncoder(tinyClip(), folder);
  for (const name of ["model.safetensors", "onnx", "preprocessor_config.json"])
    rmSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "net.onnx"), encodeModel(residualNetwork()).bytes);
  const timm = {
    input_size: [3, 16, 16],
    crop_pct: 0.8,
    interpolation: "bilinear",
    mean: normalization.mean,
    std: normalization.std,
  };
  write(folder, "config.json", { id2label: {}, pretrained_cfg: { ...timm, num_classes: 8 } });
  write(folder, "open_clip_config.json", { model_cfg: {}, preprocess_cfg: { resize_mode: "shortest" } });
  const encoder = await loadEncoder(folder);
  expect(describeFraming(encoder.framing)).toBe("shorter edge to 20 pixels (bilinear), centre 16 x 16 cut out");
  const framing: Framing = { ...encoder.framing, resize: { kind: "shortest", edge: 18, filter: "bicubic" } };
  const copy = saved(Object.assign(encoder.withParameters(encoder.parameters), { framing }));
  expect(json(copy, "config.json")).toMatchObject({ id2label: {}, pretrained_cfg: { crop_pct: 0.88, num_classes: 8 } });
  // open_clip has no words for resizing to more than is cut.
  expect(json(copy, "open_clip_config.json")).toEqual({ model_cfg: {} });
  expect((await loadEncoder(copy)).framing).toEqual(framing);
});
