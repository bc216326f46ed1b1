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
 * An attack's loss as graph nodes over the perturbed pixels, one number an image. Whatever else the loss needs
 * (embeddings, labels, weights) it declares as graph inputs of its own.
 */
interface AttackTarget {
  /** [N] float32, one loss an image; images must not influence each other. */
  readonly loss: Value;
  /** [N] bool: the attack has succeeded on this image. Left out where there is no such notion (embedding losses). */
  readonly success?: Value;
}

/** Builds the target on a graph's perturbed pixels, float32 [batch, 3, size, size]. */
export type TargetBuilder = (pixels: Value) => AttackTarget;

interface LossOfClasses {
  /** Smallest number of classes that the loss is defined for. */
  readonly classes: number;
  /** Whether the loss reads the graph input `target` [N] (int64), each image's class to be taken for. */
  readonly targeted: boolean;
  /** The loss [N] of logits [N, C] and labels [N]. */
  readonly build: (logits: Value, labels: Value, targets: Value) => Value;
}

/** Losses of a classifier. */
const classLosses = {
  ce: { classes: 2, targeted: false, build: crossEntropy },
  dlr: { classes: 3, targeted: false, build: dlr },
  "targeted-dlr": { classes: 4, targeted: true, build: targetedDlr },
  margin: { classes: 2, targeted: false, build: margin },
  "targeted-margin": { classes: 2, targeted: true, build: targetedMargin },
} as const satisfies Readonly<Record<string, LossOfClasses>>;

export type ClassLoss = keyof typeof classLosses;

/** Distances of an image's embedding to a reference, squared l2 or 1 - cosine: no labels needed. */
const embeddingLosses = {
  "embedding-l2": squaredDistance,
  "embedding-cosine": cosineDistance,
} as const;

export type EmbeddingLoss = keyof typeof embeddingLosses;

/** The option `loss`, cross-entropy where it is left out: so it may be left out only where L includes that. */
export type LossOption<L> = { readonly loss?: L } & ("ce" extends L ? unknown : { readonly loss: L });

export type AttackLoss = ClassLoss | EmbeddingLoss;

export function isEmbeddingLoss(loss: string): loss is EmbeddingLoss {
  return Object.hasOwn(embeddingLosses, loss);
}

/** Smallest number of classes that a loss is defined for; 1 for distances of embeddings. */
export function leastClasses(loss: AttackLoss): number {
  return isEmbeddingLoss(loss) ? 1 : classLosses[loss].classes;
}

/** Whether the loss aims at a class. */
export function isTargeted(loss: AttackLoss): boolean {
  return !isEmbeddingLoss(loss) && classLosses[loss].targeted;
}

/**
 * The supervised target: a loss against the graph input `labels` [N] (int64), and success where the arg max is another
 * class. A targeted loss also reads the graph input `target` [N] (int64).
 *
 * @param logits builds logits [N, C] on the graph's pixels
 */
export function misclassification(logits: (pixels: Value) => Value, loss: ClassLoss = "ce"): TargetBuilder {
  const { targeted, build } = classLosses[loss];
  return (pixels) => {
    const { graph: g } = pixels;
    const rows = [pixels.shape[0]!];
    const labels = g.input("labels", "int64", rows);
    const scores = logits(pixels);
    const targets = targeted ? g.input("target", "int64", rows) : labels;
    return { loss: build(scores, labels, targets), success: misclassified(scores, labels) };
  };
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
    const distance = embeddingLosses[loss](embedding, reference);
    return { loss: direction === "away" ? distance : g.neg(distance) };
  };
}

interface LossSpec {
  readonly batch: number;
  readonly imageSize: number;
  /** False for searches that read losses only: the graph is then the forward pass alone. */
  readonly gradient: boolean;
}

/**
 * The graph that answers a search's queries. Inputs: `pixels` [N, 3, S, S] and whatever the target declares. Outputs: the
 * target's `loss` and `success`, and `gradient` [N, 3, S, S] of each image's loss.
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
