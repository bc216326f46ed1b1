import { createHash } from "node:crypto";
import { Graph, toOnnx, type Value } from "../graph/index.ts";
import { encodeModel } from "../onnx/index.ts";
import { type Encoder, trainableWeights } from "./encoder.ts";

/**
 * SHA-256 of everything that an encoder's results on pixels depend on: architecture, activation, image size and
 * normalisation, as the graph that they make; weights; the fixed head; the text tower.
 */
export function encoderDigest(encoder: Encoder): string {
  const { parameters, head, text } = encoder;
  const hash = createHash("sha256").update(encodeModel(toOnnx({ embedding: embedding(encoder) })).bytes);
  for (const [name, { data }] of parameters) hash.update(name).update(data);
  for (const part of head ? [head.weight, head.bias] : []) hash.update(part.data);
  if (text) hash.update(JSON.stringify([text.digest, text.logitScale]));
  return hash.digest("hex");
}

/** With weights as inputs: the graph alone, small and quick to encode. */
function embedding(encoder: Encoder): Value {
  const { imageSize, parameters } = encoder;
  const graph = new Graph();
  const weights = trainableWeights(graph, parameters);
  const pixels = graph.input("pixels", "float32", [1, 3, imageSize, imageSize]);
  return encoder.embed(pixels, (name) => weights.get(name)!);
}
