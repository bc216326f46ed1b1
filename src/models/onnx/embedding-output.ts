import { UsageError } from "../../errors.ts";
import type { Value } from "../../graph/index.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import type { LinearClassifier } from "../classifier.ts";
import { linearHead } from "./linear-head.ts";

/** Which value of a model is the embedding, and the fixed head over it, where the model has one. */
export interface EmbeddingOutput {
  readonly name: string;
  readonly head?: LinearClassifier;
}

/** What exporters call embeddings, the projected ones of CLIP first. */
const embeddings = ["image_embeds", "image_embeddings", "embedding", "embeddings", "pooler_output", "features"];
const tokens = "last_hidden_state";
const logitsName = /logit|prob|class|score/i;

/**
 * Finds the embedding: the output of a usual name; else what the linear layer reads that a classifier's only output comes
 * from; else the only output.
 *
 * @param given the name of any value of the model, which is then the embedding
 * @throws UsageError when there is no such value, or several may be meant
 */
export function embeddingOutput(model: OnnxModel, given?: string): EmbeddingOutput {
  const outputs = model.graph.outputs.map(({ name }) => name);
  if (given !== undefined) {
    const isThere = outputs.includes(given) || model.graph.nodes.some((node) => node.outputs.includes(given));
    if (isThere) return withHead(model, given);
    throw new UsageError(`It computes nothing called ${given}; its outputs are ${outputs.join(", ")}.`);
  }
  const named = outputs.find((name) => logitsName.test(name));
  const usual = [...embeddings, tokens].find((name) => outputs.includes(name));
  if (usual !== undefined) return withHead(model, usual);
  const logits = outputs.length === 1 ? outputs[0]! : named;
  if (logits === undefined)
    throw new UsageError(
      `Which of its outputs (${outputs.join(", ")}) is the embedding cannot be told: say --output NAME (in code, output).`,
    );
  const head = linearHead(model, logits);
  return head && isClassifier(logits, head.classifier)
    ? { name: head.features, head: head.classifier }
    : { name: logits };
}

/** A value that is the embedding, and the linear layer between it and an output, where there is one. */
function withHead(model: OnnxModel, name: string): EmbeddingOutput {
  const heads = model.graph.outputs.map((output) => linearHead(model, output.name));
  const head = heads.find((found) => found?.features === name);
  return { name, ...(head && { head: head.classifier }) };
}

/** Sizes of ImageNet's class lists: 1000 classes, 21,000 in their editions, and their subsets. */
const classCounts = [1000, 1001, 11_221, 11_821, 12_000, 18_157, 21_841, 21_843];

/** A projection is a linear layer as well: an output is taken for logits by its name or by a known number of classes. */
function isClassifier(name: string, { weight }: LinearClassifier): boolean {
  return logitsName.test(name) || classCounts.includes(weight.shape[0]!);
}

/**
 * What a model gives as one row an image: feature maps [N, D, H, W] averaged, of tokens [N, T, D] the first, which is the
 * class token.
 *
 * @returns [N, D]
 */
export function embeddingRows(value: Value): Value {
  const { graph: g, shape } = value;
  const [n, second, third] = shape as [number, number, number];
  switch (shape.length) {
    case 2:
      return value;
    case 3:
      return g.reshape(g.slice(value, { starts: [0], ends: [1], axes: [1] }), [n, third]);
    case 4:
      return shape[2] === 1 && shape[3] === 1 ? g.reshape(value, [n, second]) : g.reduceMean(value, { axes: [2, 3] });
    default:
      throw new UsageError(
        `Its output is ${value}: an embedding is [N, D], tokens [N, T, D] or feature maps [N, D, H, W].`,
      );
  }
}
