import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { writeAtomically } from "../src/files.ts";
import { embedImages } from "../src/inference/index.ts";
import { loadEncoder, narrowWeights, saveEncoder } from "../src/models/index.ts";
import { readSafetensors, safetensorsPieces } from "../src/safetensors.ts";
import { randomImages, tinyEncoder } from "../src/testing/tiny.ts";
import { tinyClip } from "../src/testing/tiny-clip.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-convert-"));
const at = (name: string): string => join(base, name);
const compute = ["--threads", "1", "--device", "cpu"];

beforeAll(() => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  saveEncoder(tinyClip(), at("clip"));
  saveEncoder(tinyEncoder(), at("vit"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

const convert = (encoder: string, format: string, out: string, ...more: readonly string[]) =>
  lore(["convert", "--encoder", at(encoder), "--format", format, "--out", at(out), ...compute, ...more]);

const weights = (folder: string): readonly string[] =>
  readdirSync(at(folder), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.safetensors$|\.onnx$/.test(path))
    .sort();

test("a CLIP as ONNX: both towers, which give in ONNX Runtime what the encoder gives; no safetensors", async () => {
  const { code, stdout, stderr } = await convert("clip", "onnx", "clip-onnx", "--float16");
  expect(code, stderr).toBe(0);
  expect(weights("clip-onnx")).toEqual(
    ["model", "model_fp16", "text_model", "text_model_fp16", "vision_model", "vision_model_fp16"].map(
      (name) => `onnx/${name}.onnx`,
    ),
  );
  expect(stdout).toMatch(/^4 images: largest difference \d\.\de[-+]\d+ of the output's length$/m);
  expect(stdout).toMatch(/^3 texts: largest difference/m);
  expect(stdout).toMatch(/^onnx\/vision_model_fp16\.onnx: largest difference \d\.\de-\d+ of/m);

  const { mean, std } = tinyClip().normalization;
  const pixels = randomImages(2);
  const normalised = pixels.map((x, i) => {
    const channel = Math.floor(i / 64) % 3;
    return (x - mean[channel]!) / std[channel]!;
  });
  const session = await InferenceSession.create(at("clip-onnx/onnx/vision_model.onnx"), { intraOpNumThreads: 1 });
  const found = await session.run({ pixel_values: new Tensor("float32", normalised, [2, 3, 8, 8]) });
  await session.release();
  const expected = [...(await embedImages(await loadEncoder(at("clip")), pixels))];
  // Float32 sums in another order, of numbers of size 1.
  expect([...(found.image_embeds!.data as Float32Array)]).toEqual(expected.map((x) => expect.closeTo(x, 4)));
  const card = readFileSync(at("clip-onnx/README.md"), "utf8");
  expect(card).toContain("```js");
  expect(card).not.toContain("```python");
});

test("safetensors in float16 at another size: half the bytes, the embeddings of that size to 11 bits", async () => {
  const { code, stdout, stderr } = await convert(
    "vit",
    "safetensors",
    "vit-16",
    "--float16",
    "--image-size",
    "16",
    "--json",
  );
  expect(code, stderr).toBe(0);
  expect(weights("vit-16")).toEqual(["model.safetensors"]);
  const found = JSON.parse(stdout) as { imageSize: number; differences: { of: string; relative: number }[] };
  expect(found.imageSize).toBe(16);
  expect(found.differences.map(({ of }) => of)).toEqual(["4 images"]);
  // Rounded, and so not equal; a few layers of errors of 5e-4 each.
  expect(found.differences[0]!.relative).toBeGreaterThan(1e-6);
  expect(found.differences[0]!.relative).toBeLessThan(1e-2);
  const { tensors } = readSafetensors(at("vit-16/model.safetensors"));
  expect(new Set([...tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(["float16"]));
  const bytes = (folder: string): number => statSync(at(`${folder}/model.safetensors`)).size;
  expect(bytes("vit-16")).toBeLessThan(0.75 * bytes("vit"));
  const [saved, original] = [await loadEncoder(at("vit-16")), await loadEncoder(at("vit"), { imageSize: 16 })];
  expect(saved.imageSize).toBe(16);
  const pixels = randomImages(1, { size: 16 });
  const expected = [...(await embedImages(original, pixels))];
  expect([...(await embedImages(saved, pixels))]).toEqual(expected.map((x) => expect.closeTo(x, 1)));
  const card = readFileSync(at("vit-16/README.md"), "utf8");
  expect(card).toContain("```python");
  expect(card).not.toContain("```js");
});

test("ONNX in, ONNX out; safetensors cannot hold it", async () => {
  expect((await convert("vit", "onnx", "vit-onnx")).code).toBe(0);
  const { code, stderr } = await convert("vit-onnx", "onnx", "again");
  expect(code, stderr).toBe(0);
  expect(weights("again")).toEqual(weights("vit-onnx"));
  await expectRefused(
    ["convert", "--encoder", at("vit-onnx"), "--format", "safetensors", "--out", at("none"), ...compute],
    /came as an ONNX file.*Give the format onnx/,
  );
  expect(existsSync(at("none"))).toBe(false);
});

test("a folder that is there is not overwritten", async () => {
  const given = ["convert", "--encoder", at("vit"), "--format", "onnx", "--out", at("clip"), ...compute];
  await expectRefused(given, /clip is there already.*Nothing was overwritten/);
  expect(existsSync(at("clip/model.safetensors"))).toBe(true);
});

test("weights beyond float16 are refused, and nothing is left", async () => {
  saveEncoder(tinyEncoder(), at("large"));
  const path = at("large/model.safetensors");
  const { tensors, metadata } = readSafetensors(path);
  const [name, tensor] = [...tensors][0]!;
  const data = (tensor.data as Float32Array).slice();
  data[0] = 1e5;
  writeAtomically(
    path,
    safetensorsPieces(new Map([...tensors, [name, { ...tensor, data } as typeof tensor]]), metadata),
  );
  const { code, stderr } = await convert("large", "safetensors", "narrow", "--float16");
  expect(code).toBe(1);
  expect(stderr).toContain(`Tensor ${name} holds 100000, which float16 cannot`);
  expect(existsSync(at("narrow"))).toBe(false);
  expect(() => narrowWeights(at("large"))).toThrow(name);
});
