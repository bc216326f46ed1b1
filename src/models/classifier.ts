import type { Value } from "../graph/index.ts";
import type { Tensor } from "../onnx/tensor.ts";

/** A fixed head: logits = features weight^T + bias. Data about an encoder, not part of it. */
export interface LinearClassifier {
  readonly kind: "linear";
  /** [classes, feature size] */
  readonly weight: Tensor<"float32">;
  /** [classes] */
  readonly bias: Tensor<"float32">;
}

/** Zero-shot: logits = scale cos(embedding, class embedding), CLIP's own. */
export interface CosineClassifier {
  readonly kind: "cosine";
  /** [classes, embedding size], rows of length 1: one text embedding a class. */
  readonly weight: Tensor<"float32">;
  /** exp(logit_scale); 100 for OpenAI's CLIP. */
  readonly scale: number;
}

/** What turns embeddings into one logit a class. */
export type Classifier = LinearClassifier | CosineClassifier;

/**
 * Logits [N, classes] of features [N, D].
 *
 * @param rows the classes wanted, by their row; all of them when left out
 */
export function classify(features: Value, classifier: Classifier, rows?: readonly number[]): Value {
  const { graph: g } = features;
  const chosen = rows && g.indices(rows);
  const pick = (tensor: Tensor): Value => (chosen ? g.gather(g.constant(tensor), chosen) : g.constant(tensor));
  const weight = pick(classifier.weight);
  switch (classifier.kind) {
    case "linear":
      return g.gemm(features, weight, pick(classifier.bias), { transB: true });
    case "cosine":
      return g.mul(g.matMul(normalizeRows(features), g.swap(weight)), classifier.scale);
  }
}

/** Rows of length 1; a row of zeros stays one. */
export function normalizeRows(x: Value): Value {
  const { graph: g } = x;
  return g.div(x, g.max(g.reduceL2(x, { axes: [1], keepDims: true }), 1e-12));
}
