import { type InnerAttack, isInt8 } from "../attacks/index.ts";
import type { ChosenBlend } from "../blending/index.ts";
import type { TrainingFacts } from "../models/index.ts";
import type { Constraint, DistanceKind, Dual, Objective } from "../objectives/index.ts";
import { versions } from "../version.ts";
import type { TrainingSettings } from "./settings.ts";

/** Facts about the training for the model card of a trained encoder. */
export function trainingFacts(
  { name, attack, stepsPerBatch, constraint }: Objective,
  { epochs, batch, learningRate, weightDecay, seed }: TrainingSettings,
  data: Pick<TrainingFacts, "encoder" | "data" | "images">,
  chosen?: ChosenBlend,
): TrainingFacts {
  const details = attackDetails(attack);
  return {
    ...data,
    method: name,
    norm: attack.norm,
    epsilon: attack.epsilon,
    attackSteps: attack.steps,
    ...(details.length > 0 && { attackDetails: details.join(", ") }),
    stepsPerBatch,
    ...(constraint && { constraint: `${bound(constraint)}; ${multiplier(constraint.dual)}` }),
    ...(chosen && { blend: { weight: chosen.weight, keep: chosen.keep } }),
    epochs,
    batch,
    learningRate,
    weightDecay,
    seed,
    versions: versions(),
  };
}

function attackDetails(attack: InnerAttack): readonly string[] {
  return [
    ...(attack.schedule === "apgd" ? ["step sizes and momentum of Auto-PGD"] : []),
    ...(isInt8(attack) ? ["products by weights in int8"] : []),
  ];
}

const distanceNames: Readonly<Record<DistanceKind, string>> = {
  "squared-l2": "squared distance to the original's embedding z0",
  l2: "distance to the original's embedding z0",
  cosine: "1 - cosine to the original's embedding z0",
  relational: "KL divergence of relations to other images' original embeddings",
  contrastive: "contrastive distance to the original's embedding z0",
};

function bound(constraint: Constraint): string {
  const { divergence, margin } = constraint;
  const distance =
    divergence === "embedding"
      ? distanceNames[constraint.distance.kind]
      : "KL divergence from the original's class probabilities p0";
  switch (margin.kind) {
    case "relative":
      return `${distance} at most ${margin.rho} ||z0||^${margin.exponent}`;
    case "entropy":
      return `${distance} at most ${margin.rho} H(p0)`;
    case "fixed":
      return `${distance} at most ${margin.threshold}`;
    case "kept":
      return `${distance} at most what keeps ${100 * margin.share} %`;
  }
}

function multiplier(dual: Dual): string {
  switch (dual.kind) {
    case "network":
      return "a network gives each image its multiplier";
    case "controller":
      return "one multiplier for all images, controlled by the violation";
    case "scalar":
      return "one trained multiplier for all images";
    case "constant":
      return `multiplier ${dual.value}`;
  }
}
