import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import {
  cosineDistance,
  crossEntropy,
  dlr,
  margin,
  misclassified,
  squaredDistance,
  targetedDlr,
  targetedMargin,
} from "./losses.ts";

/**
 * What an attack maximises: a loss an image, as graph nodes over the perturbed pixels. Whatever else the loss needs
 * (embeddings, labels, weights) it declares as graph inputs of its own.
 */
export interface AttackTarget {
  /** [N] float32, one loss an image; images must not influence each other. */
  readonly loss: Value;
  /** [N] bool: the attack has succeeded on this image. Left out where there is no such notion (embedding losses). */
  readonly success?: Value;
}

/** Builds the target on a graph's perturbed pixels, float32 [batch, 3, size, size]. */
export type TargetBuilder = (pixels: Value) => AttackTarget;

/** Losses of a classifier. Targeted ones read the graph input `target` [N] (int64). */
export type ClassLoss = "ce" | "dlr" | "targeted-dlr" | "margin" | "targeted-margin";

/**
 * The supervised target: a loss against the graph input `labels` [N] (int64), and success where the arg max is another
 * class.
 *
 * @param logits builds logits [N, C] on the graph's pixels
 */
export function misclassification(logits: (pixels: Value) => Value, loss: ClassLoss = "ce"): TargetBuilder {
  return (pixels) => {
    const { graph: g } = pixels;
    const rows = [pixels.shape[0]!];
    const labels = g.input("labels", "int64", rows);
    const scores = logits(pixels);
    return { loss: lossOf(loss, scores, labels), success: misclassified(scores, labels) };
  };
}

function lossOf(loss: ClassLoss, logits: Value, labels: Value): Value {
  const targets = (): Value => logits.graph.input("target", "int64", labels.shape);
  switch (loss) {
    case "ce":
      return crossEntropy(logits, labels);
    case "dlr":
      return dlr(logits, labels);
    case "targeted-dlr":
      return targetedDlr(logits, labels, targets());
    case "margin":
      return margin(logits, labels);
    case "targeted-margin":
      return targetedMargin(logits, labels, targets());
  }
}

/** Distance of an image's embedding to a reference, squared l2 or 1 - cosine: no labels needed. */
export type EmbeddingLoss = "embedding-l2" | "embedding-cosine";

export type AttackLoss = ClassLoss | EmbeddingLoss;

export function isEmbeddingLoss(loss: AttackLoss): loss is EmbeddingLoss {
  return loss === "embedding-l2" || loss === "embedding-cosine";
}

/**
 * The unsupervised target: away from the embeddings in the graph input `reference` [N, D], or towards them.
 *
 * @param embed builds embeddings [N, D] on the graph's pixels
 */
export function embeddingDistance(
  embed: (pixels: Value) => Value,
  loss: EmbeddingLoss,
  direction: "away" | "towards" = "away",
): TargetBuilder {
  return (pixels) => {
    const { graph: g } = pixels;
    const embedding = embed(pixels);
    const reference = g.input("reference", "float32", embedding.shape);
    const distance = (loss === "embedding-l2" ? squaredDistance : cosineDistance)(embedding, reference);
    return { loss: direction === "away" ? distance : g.neg(distance) };
  };
}

export interface LossSpec {
  readonly batch: number;
  readonly imageSize: number;
  /** False for searches that only look at losses: the graph is then the forward pass alone. */
  readonly gradient: boolean;
}

/**
 * What searches ask, as a graph. Inputs: `pixels` [N, 3, S, S] and whatever the target declares. Outputs: the target's
 * `loss` and `success`, and `gradient` [N, 3, S, S] of each image's loss.
 */
export function lossGraph(
  { batch, imageSize, gradient }: LossSpec,
  target: TargetBuilder,
): Readonly<Record<string, Value>> {
  const g = new Graph();
  const pixels = g.input("pixels", "float32", [batch, 3, imageSize, imageSize]);
  const { loss, success } = target(pixels);
  const outputs = { loss, ...(success && { success }) };
  return gradient ? { ...outputs, gradient: gradients(g.reduceSum(loss), [pixels])[0] } : outputs;
}
