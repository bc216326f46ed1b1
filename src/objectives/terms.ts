import { crossEntropy, type InnerAttack, squaredDistance } from "../attacks/index.ts";
import type { Value } from "../graph/index.ts";
import { type Classifier, classify } from "../models/index.ts";
import type { Constraint } from "./constraint.ts";
import { distanceMeasure } from "./distance.ts";
import type { Loss, Objective } from "./objective.ts";

/** One number an image, [N], from its embedding and the original's, both [N, D]. */
export type Measure = (embedding: Value, original: Value) => Value;

/** The measures of embeddings that an objective is made of. */
export interface Terms {
  /** Minimised on perturbed images. A supervised one declares the input `labels` [N] (int64). */
  readonly loss: Measure;
  /** Maximised by the adversary: the same, or something cheaper to climb. */
  readonly attackLoss: Measure;
  /** Bounded by the constraint on clean images; squared l2 where there is none. The metrics call it distance. */
  readonly divergence: Measure;
}

/** The terms of FARE, LORE and the naive regulariser. */
export const embeddingTerms: Terms = {
  loss: squaredDistance,
  attackLoss: squaredDistance,
  divergence: squaredDistance,
};

export function termsOf({ loss, attack, constraint }: Pick<Objective, "loss" | "constraint" | "attack">): Terms {
  const minimised = lossMeasure(loss);
  return { loss: minimised, attackLoss: attackMeasure(attack, minimised), divergence: divergenceMeasure(constraint) };
}

function attackMeasure({ loss }: InnerAttack, minimised: Measure): Measure {
  switch (loss) {
    case "objective":
      return minimised;
    case "squared-l2":
      return squaredDistance;
  }
}

function lossMeasure(loss: Loss): Measure {
  if (loss.kind !== "cross-entropy") return distanceMeasure(loss);
  return (embedding) => {
    const labels = embedding.graph.input("labels", "int64", [embedding.shape[0]!]);
    return crossEntropy(classify(embedding, loss.classifier), labels);
  };
}

function divergenceMeasure(constraint: Constraint | undefined): Measure {
  switch (constraint?.divergence) {
    case undefined:
      return squaredDistance;
    case "embedding":
      return distanceMeasure(constraint.distance);
    case "classes":
      return (embedding, original) => classDivergence(embedding, original, constraint.classifier);
  }
}

/** KL(p0 || p) in nats, [N], p0 and p the class distributions of the original and the other embedding. */
export function classDivergence(embedding: Value, original: Value, classifier: Classifier): Value {
  const { graph: g } = embedding;
  const [log0, log] = [logProbabilities(original, classifier), logProbabilities(embedding, classifier)];
  return g.reduceSum(g.mul(g.exp(log0), g.sub(log0, log)), { axes: [1] });
}

/** Entropy in nats, [N], of the class distribution of embeddings [N, D]; from 0 to log(classes). */
export function classEntropy(embedding: Value, classifier: Classifier): Value {
  const { graph: g } = embedding;
  const log = logProbabilities(embedding, classifier);
  return g.neg(g.reduceSum(g.mul(g.exp(log), log), { axes: [1] }));
}

function logProbabilities(embedding: Value, classifier: Classifier): Value {
  return embedding.graph.logSoftmax(classify(embedding, classifier));
}
