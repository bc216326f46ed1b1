import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { openFrost } from "./corruptions/index.ts";
import { imageFolder, openBatches, openSource, type SkippedImage } from "./data/index.ts";
import { UsageError } from "./errors.ts";
import { lfsPointer } from "./lfs.ts";
import { loadEncoder } from "./models/index.ts";
import { OnnxText } from "./models/text/onnx-text.ts";
import { loadTokenizer } from "./models/text/tokenizer.ts";
import { encodeModel } from "./onnx/index.ts";
import { residualNetwork } from "./testing/onnx-networks.ts";
import { tinyClip } from "./testing/tiny-clip.ts";
import { readJson } from "./text.ts";

const root = mkdtempSync(join(tmpdir(), "lore-lfs-"));
afterAll(() => rmSync(root, { recursive: true }));

/** As `git lfs pointer` writes it. */
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"4d7a".repeat(16)}\nsize 12345\n`;

function write(name: string, content: string | Uint8Array = pointer): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const said = /is a Git LFS pointer in the place of the file itself \(12,345 bytes\).*git lfs pull/;

describe("a Git LFS pointer is said to be one", () => {
  test.each(["model.safetensors", "model.onnx", "a/config.json"])("%s", async (name) => {
    const path = write(name);
    const read = name.endsWith("json") ? async () => readJson(path) : () => loadEncoder(path);
    await expect(read()).rejects.toThrow(UsageError);
    await expect(read()).rejects.toThrow(said);
  });

  test("weights beside an ONNX file", async () => {
    const { bytes } = encodeModel(residualNetwork(), { externalData: { location: "weights.bin", threshold: 256 } });
    write("external/weights.bin");
    await expect(loadEncoder(write("external/model.onnx", bytes))).rejects.toThrow(/weights\.bin is a Git LFS pointer/);
  });

  test.each(["0.tar", "a.parquet"])("%s", async (name) => {
    await expect(openSource(write(name))).rejects.toThrow(said);
  });

  test("a tokeniser's files", () => {
    for (const name of ["tokenizer.json", "bpe_simple_vocab_16e6.txt.gz"]) {
      const path = write(`${name}-only/${name}`);
      expect(() => loadTokenizer(dirname(path))).toThrow(said);
    }
  });

  test("a text tower, and textures of frost", async () => {
    const text = new OnnxText({
      path: write("text_model.onnx"),
      tokenizer: tinyClip().text!.tokenizer,
      embeddingSize: 4,
      contextLength: 24,
    });
    await expect(text.embed(["a cat"], { threads: 1 })).rejects.toThrow(said);
    await expect(openFrost(dirname(write("frost/frost1.png")), 32)).rejects.toThrow(said);
  });

  test("an image, which is left out and counted", async () => {
    const image = sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } });
    write("photos/a.png", await image.png().toBuffer());
    const source = imageFolder(dirname(write("photos/b.jpg")));
    const skips: SkippedImage[] = [];
    const read: string[] = [];
    for await (const { ids } of openBatches(source, { size: 8, batch: 2, order: [0, 1], onSkip: (s) => skips.push(s) }))
      read.push(...ids);
    expect(read).toEqual(["a.png"]);
    expect(skips).toEqual([{ id: "b.jpg", reason: expect.stringMatching(/^it is a Git LFS pointer/) }]);
  });
});

test("other files are none", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  for (const text of ["", "version 2", "very short", "\u0089PNG"]) expect(lfsPointer(bytes(text))).toBeUndefined();
});
