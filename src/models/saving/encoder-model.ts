import { Graph, toOnnx } from "../../graph/index.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import { VitEncoder } from "../architectures/vit.ts";
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
  const weights = frozenWeights(g, parameters);
  const embedding = encoder.embedNormalized(pixels, weights);
  const features = encoder instanceof VitEncoder ? encoder.headFeaturesNormalized(pixels, weights) : embedding;
  const outputs = { embedding, ...(head && { logits: classify(features, head) }) };
  return toOnnx(outputs, { opset: savedOpset, batchAxis: "batch" });
}

/**
 * A DINOv2 with the outputs of transformers' `Dinov2Model`, `last_hidden_state` [batch, 1 + patches, D] and
 * `pooler_output` [batch, D], the embedding; with a fixed head also `logits`, as `Dinov2ForImageClassification`.
 */
export function dinov2Model(encoder: VitEncoder): OnnxModel {
  const g = new Graph();
  const { imageSize, parameters, head } = encoder;
  const pixels = g.input("pixel_values", "float32", [1, 3, imageSize, imageSize]);
  const weights = frozenWeights(g, parameters);
  const outputs = {
    last_hidden_state: encoder.lastHiddenState(pixels, weights),
    pooler_output: encoder.embedNormalized(pixels, weights),
    ...(head && { logits: classify(encoder.headFeaturesNormalized(pixels, weights), head) }),
  };
  return toOnnx(outputs, { opset: savedOpset, batchAxis: "batch_size" });
}
