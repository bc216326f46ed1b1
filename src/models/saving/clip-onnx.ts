import { Graph, toOnnx, type Value } from "../../graph/index.ts";
import type { OnnxModel, ValueInfo } from "../../onnx/index.ts";
import { int64Tensor, scalarTensor } from "../../onnx/index.ts";
import { VitEncoder } from "../architectures/vit.ts";
import { normalizeRows } from "../classifier.ts";
import { type Encoder, frozenWeights } from "../encoder.ts";
import { ClipText, embedTokens } from "../text/clip-text.ts";
import { OnnxText } from "../text/onnx-text.ts";
import { chained } from "./chain.ts";
import { freeLength, node } from "./free-length.ts";
import { type SavedModel, savedOpset } from "./onnx-files.ts";
import { readTextModel } from "./onnx-text-model.ts";

/*
 * The ONNX models of a CLIP in a transformers.js folder, with the names that transformers and Optimum give their inputs
 * and outputs.
 */

/**
 * The models of a CLIP by their file names: the vision tower's, the text tower's, and both in one. A text tower that is
 * an ONNX file stays that file; of both in one there is none where `readTextModel` has no model of it.
 */
export function clipModels(encoder: Encoder): ReadonlyMap<string, SavedModel> {
  const { text } = encoder;
  const models = new Map<string, SavedModel>([["vision_model.onnx", visionModel(encoder)]]);
  if (text instanceof ClipText) {
    models.set("text_model.onnx", textModel(text)).set("model.onnx", clipModel(encoder, text));
  } else if (text instanceof OnnxText) {
    models.set("text_model.onnx", text);
    const tower = readTextModel(text);
    if (tower) models.set("model.onnx", clipModelBehind(tower, encoder, text));
  }
  return models;
}

/**
 * `vision_model.onnx` of a `CLIPVisionModelWithProjection`: `pixel_values` [batch, 3, S, S], normalised as
 * `preprocessor_config.json` says, to `image_embeds` [batch, D], un-normalised; of a `CLIPVisionModel` to `pooler_output`.
 */
function visionModel(encoder: Encoder): OnnxModel {
  const isProjected = !(encoder instanceof VitEncoder) || encoder.architecture.projection !== undefined;
  const embedding = imageEmbedding(new Graph(), encoder);
  const outputs: Record<string, Value> = isProjected ? { image_embeds: embedding } : { pooler_output: embedding };
  return toOnnx(outputs, { opset: savedOpset, batchAxis: "batch_size" });
}

/**
 * `text_model.onnx` of a `CLIPTextModelWithProjection`: `input_ids` [batch, length] of any length, padded with anything
 * after the end marker, to `text_embeds` [batch, D], un-normalised. Ids beyond the context are cut off.
 */
function textModel(text: ClipText): OnnxModel {
  return withInputIds(text, "batch_size", (length) =>
    toOnnx({ text_embeds: textEmbedding(new Graph(), text, length) }, { opset: savedOpset, batchAxis: "batch_size" }),
  );
}

/**
 * `model.onnx` of a `CLIPModel`, which the zero-shot pipeline runs: both inputs, to `logits_per_image` [images, texts],
 * `logits_per_text` [texts, images], and both embeddings, of length 1.
 */
function clipModel(encoder: Encoder, text: ClipText): OnnxModel {
  return withInputIds(text, "text_batch_size", (length) =>
    scoringModel(encoder, text.logitScale, (g) => textEmbedding(g, text, length)),
  );
}

/** The same behind the model of a text tower that is an ONNX file, with that model's inputs. */
function clipModelBehind(tower: OnnxModel, encoder: Encoder, { embeddingSize, logitScale }: OnnxText): OnnxModel {
  const link = "text_embedding";
  // From 21 to 24 nothing changed that would be written here.
  const opset = Math.min(tower.opsets.get("")!, 21);
  const scoring = scoringModel(encoder, logitScale, (g) => g.input(link, "float32", [1, embeddingSize]), opset);
  return tower.graph.inputs.reduce(
    (model, { name }) => withAxes(model, name, ["text_batch_size"]),
    chained(tower, "text_embeds", scoring, link),
  );
}

function scoringModel(
  encoder: Encoder,
  logitScale: number,
  textEmbedding: (g: Graph) => Value,
  opset = savedOpset,
): OnnxModel {
  const axes = [
    ["pixel_values", ["image_batch_size"]],
    ["logits_per_image", ["image_batch_size", "text_batch_size"]],
    ["logits_per_text", ["text_batch_size", "image_batch_size"]],
    ["image_embeds", ["image_batch_size"]],
    ["text_embeds", ["text_batch_size"]],
  ] as const;
  const g = new Graph();
  const image = normalizeRows(imageEmbedding(g, encoder));
  const words = normalizeRows(textEmbedding(g));
  const logits = g.mul(g.matMul(image, g.swap(words)), logitScale);
  const model = toOnnx(
    { logits_per_image: logits, logits_per_text: g.swap(logits), text_embeds: words, image_embeds: image },
    { opset },
  );
  return axes.reduce((named, [name, sizes]) => withAxes(named, name, sizes), model);
}

function imageEmbedding(g: Graph, encoder: Encoder): Value {
  const { imageSize, parameters } = encoder;
  const pixels = g.input("pixel_values", "float32", [1, 3, imageSize, imageSize]);
  return encoder.embedNormalized(pixels, frozenWeights(g, parameters));
}

function textEmbedding(g: Graph, text: ClipText, length: number): Value {
  const ids = g.input("ids", "int64", [1, length]);
  return embedTokens(ids, text.architecture, text.tokenizer.end, frozenWeights(g, text.parameters));
}

/**
 * Gives a model with the input `ids` the input `input_ids` instead, of any length. An end marker is put behind the ids,
 * or in the last place of the context: transformers.js cuts the marker off when it cuts a text that is too long.
 */
function withInputIds(
  { architecture, tokenizer }: ClipText,
  batch: string,
  build: (length: number) => OnnxModel,
): OnnxModel {
  const { contextLength } = architecture;
  const model = freeLength(build, contextLength, "ids");
  const { graph } = model;
  const marking = [
    node("Slice", ["input_ids", "first", "places", "length_axis"], "cut_ids"),
    node("Pad", ["cut_ids", "one_more", "end_marker"], "ids"),
  ];
  const constants = [
    ["first", int64Tensor([0])],
    ["places", int64Tensor([contextLength - 1])],
    ["length_axis", int64Tensor([1])],
    ["one_more", int64Tensor([0, 0, 0, 1])],
    ["end_marker", scalarTensor("int64", tokenizer.end)],
  ] as const;
  const inputIds: ValueInfo = { name: "input_ids", dtype: "int64", shape: [batch, "sequence_length"] };
  return {
    ...model,
    graph: {
      ...graph,
      inputs: [inputIds, ...graph.inputs.filter(({ name }) => name !== "ids")],
      nodes: [...marking, ...graph.nodes],
      initializers: new Map([...graph.initializers, ...constants]),
    },
  };
}

/** Names the first axes of an input or output. */
function withAxes(model: OnnxModel, name: string, sizes: readonly string[]): OnnxModel {
  const named = (values: readonly ValueInfo[]): readonly ValueInfo[] =>
    values.map((value) =>
      value.name === name ? { ...value, shape: [...sizes, ...value.shape.slice(sizes.length)] } : value,
    );
  const { graph } = model;
  return { ...model, graph: { ...graph, inputs: named(graph.inputs), outputs: named(graph.outputs) } };
}
