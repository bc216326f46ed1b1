import { rmSync } from "node:fs";
import { join } from "node:path";
import { readBytes, writeAtomically } from "../../src/files.ts";
import { type Encoder, saveEncoder } from "../../src/models/index.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/safetensors.ts";
import { toHalf } from "../../src/tensor/half.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** Saves an encoder small enough to commit: weights in float16, no ONNX copies of them. */
export function saveAsset(encoder: Encoder, folder: string): void {
  saveEncoder(encoder, folder);
  rmSync(join(folder, "onnx"), { recursive: true, force: true });
  const file = join(folder, "model.safetensors");
  const { tensors, metadata } = decodeSafetensors(readBytes(file));
  const halved = [...tensors].map(([name, { shape, data }]): [string, Tensor] => [
    name,
    { dtype: "float16", shape, data: Uint16Array.from(data as Float32Array, toHalf) },
  ]);
  writeAtomically(file, encodeSafetensors(new Map(halved), metadata));
}
