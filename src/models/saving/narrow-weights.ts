import { readdirSync } from "node:fs";
import { join } from "node:path";
import { LoreError } from "../../errors.ts";
import { writeAtomically } from "../../files.ts";
import { readSafetensors, safetensorsPieces } from "../../safetensors.ts";
import { type Tensor, toHalf } from "../../tensor/index.ts";

/** The largest number of float16. */
const maxHalf = 65504;

/**
 * Rewrites the weights of a saved encoder in float16: the float32 tensors of its safetensors files.
 *
 * @returns the files, relative to the folder
 * @throws LoreError naming a tensor that float16 cannot hold; files after it are left as they were
 */
export function narrowWeights(folder: string): readonly string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".safetensors"));
  for (const name of names) {
    const { tensors, metadata } = readSafetensors(join(folder, name));
    const narrow = new Map([...tensors].map(([tensor, weights]) => [tensor, narrowed(tensor, weights)]));
    writeAtomically(join(folder, name), safetensorsPieces(narrow, metadata));
  }
  return names;
}

function narrowed(name: string, tensor: Tensor): Tensor {
  if (tensor.dtype !== "float32") return tensor;
  const weights = tensor.data as Float32Array;
  const beyond = weights.find((x) => Math.abs(x) > maxHalf);
  if (beyond !== undefined)
    throw new LoreError(`Tensor ${name} holds ${beyond}, which float16 cannot: it ends at ${maxHalf}.`);
  return { dtype: "float16", shape: tensor.shape, data: Uint16Array.from(weights, toHalf) };
}
