import type { Value } from "../graph/index.ts";
import { allocate, type Tensor } from "../tensor/index.ts";

/** A fixed head: logits = features weight^T + bias. It accompanies an encoder and is not part of it. */
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

/** A classifier that turns embeddings into one logit per class. */
export type Classifier = LinearClassifier | CosineClassifier;

/** Logits [N, classes] of features [N, D]. */
export function classify(features: Value, classifier: Classifier): Value {
  const { graph: g } = features;
  const weight = g.constant(classifier.weight);
  switch (classifier.kind) {
    case "linear":
      return g.gemm(features, weight, g.constant(classifier.bias), { transB: true });
    case "cosine":
      return g.mul(g.matMul(normalizeRows(features), g.swap(weight)), classifier.scale);
  }
}

/**
 * A head over some of its classes.
 *
 * @param rows the classes wanted, in their new order
 */
export function pickRows({ weight, bias }: LinearClassifier, rows: readonly number[]): LinearClassifier {
  return { kind: "linear", weight: rowsOf(weight, rows), bias: rowsOf(bias, rows) };
}

function rowsOf({ dtype, shape, data }: Tensor<"float32">, rows: readonly number[]): Tensor<"float32"> {
  const [, ...rest] = shape;
  const picked = allocate("float32", [rows.length, ...rest]);
  const width = picked.length / rows.length;
  for (const [i, row] of rows.entries()) picked.set(data.subarray(row * width, (row + 1) * width), i * width);
  return { dtype, shape: [rows.length, ...rest], data: picked };
}

/** Rows of length 1; a row of zeros stays one. */
export function normalizeRows(x: Value): Value {
  const { graph: g } = x;
  return g.div(x, g.max(g.reduceL2(x, { axes: [1], keepDims: true }), 1e-12));
}
