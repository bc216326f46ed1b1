import { toOnnx } from "../../graph/export.ts";
import { Graph } from "../../graph/index.ts";
import type { OnnxModel } from "../../onnx/model.ts";
import { classify } from "../classifier.ts";
import { type Encoder, frozenWeights } from "../encoder.ts";
import { savedOpset } from "./onnx-files.ts";

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
