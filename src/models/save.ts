import { join } from "node:path";
import { toOnnx } from "../graph/export.ts";
import { Graph } from "../graph/index.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { OnnxModel } from "../onnx/model.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { classify } from "./classifier.ts";
import { type Encoder, frozenWeights } from "./encoder.ts";
import { writeAtomically } from "./files.ts";
import { writeClip } from "./layouts/clip.ts";
import { timmConfig } from "./layouts/timm.ts";
import { encodeSafetensors } from "./safetensors.ts";
import type { VitEncoder } from "./vit.ts";

/** The opset of saved files: old enough for every ONNX Runtime since 1.14, new enough for LayerNormalization. */
const savedOpset = 17;

/** Files of a saved encoder by their path in its folder. */
export type SavedFiles = ReadonlyMap<string, Uint8Array | string>;

/**
 * Saves an encoder as a folder that `loadEncoder` reads, in the layout it came in: weights, `config.json`,
 * `preprocessor_config.json`, the tokeniser's files, and ONNX.
 *
 * @throws LoreError when a file cannot be written
 */
export function saveEncoder(encoder: Encoder, folder: string): void {
  for (const [path, content] of encoderFiles(encoder)) writeAtomically(join(folder, path), content);
}

function encoderFiles(encoder: Encoder): SavedFiles {
  const preprocessor = ["preprocessor_config.json", pretty(preprocessorConfig(encoder))] as const;
  switch (encoder.layout) {
    case "timm":
      return new Map<string, Uint8Array | string>([...timmFiles(encoder as VitEncoder), preprocessor]);
    default:
      return new Map<string, Uint8Array | string>([...writeClip(encoder as VitEncoder), preprocessor]);
  }
}

function timmFiles(encoder: VitEncoder): SavedFiles {
  const { head, normalization } = encoder;
  const tensors = new Map<string, Tensor>(encoder.parameters);
  if (head) tensors.set("head.weight", head.weight).set("head.bias", head.bias);
  return new Map<string, Uint8Array | string>([
    ["model.safetensors", encodeSafetensors(tensors, new Map([["format", "pt"]]))],
    ["config.json", pretty(timmConfig(encoder.name, encoder, normalization))],
    ["onnx/model.onnx", encodeModel(encoderModel(encoder)).bytes],
  ]);
}

/** What image processors do with an image before the encoder sees it. */
function preprocessorConfig({ imageSize, normalization }: Encoder): object {
  return {
    image_processor_type: "CLIPImageProcessor",
    do_resize: true,
    size: { shortest_edge: imageSize },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: imageSize, width: imageSize },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    do_convert_rgb: true,
    image_mean: normalization.mean,
    image_std: normalization.std,
  };
}

/**
 * The encoder as an ONNX model with a symbolic batch axis. Input `pixel_values` [batch, 3, S, S], normalised as
 * `preprocessor_config.json` says, which is what image processors of the ecosystem produce; outputs `embedding`
 * [batch, D] and, with a fixed head, `logits` [batch, classes].
 */
export function encoderModel(encoder: Encoder): OnnxModel {
  const g = new Graph();
  const { imageSize, parameters, head } = encoder;
  const pixels = g.input("pixel_values", "float32", [1, 3, imageSize, imageSize]);
  const embedding = encoder.embedNormalized(pixels, frozenWeights(g, parameters));
  const outputs = { embedding, ...(head && { logits: classify(embedding, head) }) };
  return toOnnx(outputs, { opset: savedOpset, batchAxis: "batch" });
}

function pretty(json: object): string {
  return `${JSON.stringify(json, undefined, 2)}\n`;
}
