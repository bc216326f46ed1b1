import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { encodeModel, type OnnxModel } from "../onnx/index.ts";

/**
 * Writes an ONNX file whose weights lie in files beside it, as PyTorch and onnx's `save_model` leave them.
 *
 * @param fileOf the file of the i-th tensor; all of one length of 8 characters. Tensors of one file lie behind each other.
 * @param threshold bytes of the smallest tensor that does not stay in the ONNX file, where ONNX Runtime wants some shapes
 */
export function writeSplit(path: string, model: OnnxModel, fileOf: (index: number) => string, threshold = 1): void {
  const { bytes, external } = encodeModel(model, { externalData: { location: "________", threshold } });
  const files = new Map<string, Buffer[]>();
  let index = 0;
  // Names and offsets keep their lengths, and so all messages around them theirs.
  const text = Buffer.from(bytes).toString("latin1");
  const entry = /(location..)_{8}(.{2,8}?offset..)([0-9]+)(.{2,8}?length..)([0-9]+)/gs;
  const split = text.replace(
    entry,
    (_, before: string, between: string, offset: string, behind: string, length: string) => {
      const name = fileOf(index++);
      const parts = files.get(name) ?? [];
      files.set(name, parts);
      const start = parts.reduce((sum, part) => sum + part.length, 0);
      parts.push(Buffer.from(external!.subarray(Number(offset), Number(offset) + Number(length))));
      return `${before}${name}${between}${String(start).padStart(offset.length, "0")}${behind}${length}`;
    },
  );
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.from(split, "latin1"));
  for (const [name, parts] of files) {
    mkdirSync(dirname(join(dirname(path), name)), { recursive: true });
    writeFileSync(join(dirname(path), name), Buffer.concat(parts));
  }
}
