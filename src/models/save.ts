import { join } from "node:path";
import { toOnnx } from "../graph/export.ts";
import { Graph } from "../graph/index.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { OnnxModel } from "../onnx/model.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { classify } from "./classifier.ts";
import { frozenWeights } from "./encoder.ts";
import { writeAtomically } from "./files.ts";
import { encodeSafetensors } from "./safetensors.ts";
import { timmConfig } from "./timm.ts";
import type { VitEncoder } from "./vit.ts";

/** The opset of saved files: old enough for every ONNX Runtime since 1.14, new enough for LayerNormalization. */
const savedOpset = 17;

/**
 * Saves an encoder as a folder that `loadEncoder`, timm and ONNX Runtime read: `model.safetensors` in timm's names,
 * `config.json` in timm's form, `preprocessor_config.json`, and `onnx/model.onnx` (see `encoderModel`).
 */
export function saveEncoder(encoder: VitEncoder, folder: string): void {
  const { head, normalization, imageSize } = encoder;
  const tensors = new Map<string, Tensor>(encoder.parameters);
  if (head) tensors.set("head.weight", head.weight).set("head.bias", head.bias);
  writeAtomically(join(folder, "model.safetensors"), encodeSafetensors(tensors, new Map([["format", "pt"]])));
  writeAtomically(join(folder, "config.json"), pretty(timmConfig(encoder.name, encoder, normalization)));
  writeAtomically(
    join(folder, "preprocessor_config.json"),
    pretty({
      do_resize: true,
      size: { shortest_edge: imageSize },
      resample: 3,
      do_center_crop: true,
      crop_size: { height: imageSize, width: imageSize },
      do_rescale: true,
      rescale_factor: 1 / 255,
      do_normalize: true,
      image_mean: normalization.mean,
      image_std: normalization.std,
    }),
  );
  writeAtomically(join(folder, "onnx", "model.onnx"), encodeModel(encoderModel(encoder)).bytes);
}

/**
 * The encoder as an ONNX model with a symbolic batch axis. Input `pixel_values` [batch, 3, S, S], normalised as
 * `preprocessor_config.json` says, which is what image processors of the ecosystem produce; outputs `embedding`
 * [batch, D] and, with a fixed head, `logits` [batch, classes].
 */
export function encoderModel(encoder: VitEncoder): OnnxModel {
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
