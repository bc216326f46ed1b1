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
  return {
    ...data,
    method: name,
    norm: attack.norm,
    epsilon: attack.epsilon,
    attackSteps: attack.steps,
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
