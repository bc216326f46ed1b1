import { type InnerAttack, isInt8 } from "../attacks/index.ts";
import type { TrainingFacts } from "../models/index.ts";
import type { Constraint, Dual, Objective } from "../objectives/index.ts";
import { versions } from "../version.ts";
import type { TrainingSettings } from "./finetune.ts";

/** What the model card of a trained encoder says of its training. */
export function trainingFacts(
  { name, attack, stepsPerBatch, constraint }: Objective,
  { epochs, batch, learningRate, weightDecay, seed }: TrainingSettings,
  data: Pick<TrainingFacts, "encoder" | "data" | "images">,
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

function bound({ divergence, margin }: Constraint): string {
  const distance =
    divergence === "embedding"
      ? "squared distance to the original's embedding z0"
      : "KL divergence from the original's class probabilities p0";
  switch (margin.kind) {
    case "relative":
      return `${distance} at most ${margin.rho} ||z0||^${margin.exponent}`;
    case "entropy":
      return `${distance} at most ${margin.rho} H(p0)`;
    case "fixed":
      return `${distance} at most ${margin.threshold}`;
  }
}

function multiplier(dual: Dual): string {
  switch (dual.kind) {
    case "network":
      return "a network gives each image its multiplier";
    case "scalar":
      return "one trained multiplier for all images";
    case "constant":
      return `multiplier ${dual.value}`;
  }
}
