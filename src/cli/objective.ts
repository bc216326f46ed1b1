import type { EpsilonDraw, InnerAttack, InnerAttackSettings } from "../attacks/index.ts";
import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import type { Classifier } from "../models/index.ts";
import {
  type ClassMargin,
  controllerDual,
  type Distance,
  type DistanceKind,
  type Dual,
  distanceKinds,
  distanceOf,
  fare,
  lore,
  type Margin,
  type Objective,
  robust,
  type TecoaConstraint,
  tecoa,
} from "../objectives/index.ts";
import { tecoaTemplate } from "./classifier.ts";
import { type Flags, option } from "./option.ts";
import { oneOf, parseCount, parseEpsilon, parseFraction, parseNumber, text } from "./parsers.ts";

/** The options of the objective: what is minimised, and under which constraint. */
export const objectiveOptions = {
  method: option("--method <name>", oneOf(["robust", "lore", "fare", "tecoa"]), {
    help: "what is minimised",
    topic: "objective",
    default: "robust",
  }),
  epsilon: option("--epsilon <size>", parseEpsilon, {
    help: "size of the perturbation (l-inf)",
    topic: "attack",
    default: "2/255",
  }),
  epsilonDraw: option("--epsilon-draw <how>", oneOf<EpsilonDraw>(["constant", "uniform", "sqrt"]), {
    help: "each image's size: epsilon, epsilon U or epsilon sqrt(U), U uniform in [0, 1]",
    topic: "attack",
    default: "constant",
  }),
  distance: option("--distance <kind>", oneOf(distanceKinds), {
    help: "how perturbed images are compared with the original (default: relational for robust, squared-l2 for lore and fare)",
    topic: "objective",
  }),
  temperature: option("--temperature <t>", parseNumber, {
    help: "temperature of relational and contrastive distances",
    topic: "objective",
    default: "0.1",
  }),
  bank: option("--bank <n>", parseCount, {
    help: "number of original embeddings that those distances compare with",
    topic: "objective",
    default: "256",
  }),
  stepsPerBatch: option("--steps-per-batch <k>", parseCount, {
    help: "optimiser steps per batch (default: 5 for lore, 1 for others)",
    topic: "training",
  }),
  templates: option("--templates <prompts>", text, {
    help: `tecoa: prompts of the class names: a set's name, a file, or one template (default: the encoder's head, without one "${tecoaTemplate}")`,
    topic: "data",
  }),
  constraint: option("--constraint <divergence>", oneOf(["none", "embedding", "classes"]), {
    help: "robust, tecoa: limit on the change of clean images, by the distance of embeddings; for tecoa also by KL between class distributions (default: none)",
    topic: "objective",
  }),
  rho: option("--rho <rho>", parseNumber, {
    help: "allowed clean distance, as a share of the margin",
    topic: "objective",
    default: "0.1",
  }),
  marginExponent: option("--margin-exponent <p>", parseNumber, {
    help: "the margin is ||phi0(x)||^p; with --constraint classes, the entropy",
    topic: "objective",
    default: "2",
  }),
  threshold: option("--threshold <distance>", parseNumber, {
    help: "allow this clean distance for every image, instead of rho times the margin",
    topic: "objective",
  }),
  hold: option("--hold <share>", parseFraction, {
    help: "robust: limit the change of clean images while training, so that this share of the original's behaviour is kept",
    topic: "objective",
  }),
  dual: option("--dual <kind>", oneOf<Dual["kind"]>(["network", "scalar", "controller", "constant"]), {
    help: "source of lambda",
    topic: "objective",
    default: "network",
  }),
  dualValue: option("--dual-value <lambda>", parseNumber, {
    help: "lambda at the start (default: 0.69 for network, 1 for scalar, constant)",
    topic: "objective",
  }),
  dualLearningRate: option("--dual-learning-rate <rate>", parseNumber, {
    help: "learning rate of the dual ascent",
    topic: "objective",
    default: "5e-4",
  }),
  attackSchedule: option("--attack-schedule <name>", oneOf<InnerAttack["schedule"]>(["fixed", "apgd"]), {
    help: "step sizes of the inner PGD: all the same, or Auto-PGD's, on CPU",
    topic: "attack",
    default: "fixed",
  }),
  attackSteps: option("--attack-steps <n>", parseCount, {
    help: "steps of the inner PGD (default: 2 for robust, 10 for others)",
    topic: "attack",
  }),
  attackStepSize: option("--attack-step-size <size>", parseEpsilon, {
    help: "step size of the inner PGD (default: 0.6 epsilon for robust, epsilon / 4 for others)",
    topic: "attack",
  }),
  attackLoss: option("--attack-loss <loss>", oneOf<InnerAttack["loss"]>(["objective", "squared-l2"]), {
    help: "what the inner attack maximises: what is minimised, or the squared l2 distance",
    topic: "attack",
    default: "objective",
  }),
  attackStart: option("--attack-start <where>", oneOf<InnerAttack["start"]>(["uniform", "zero"]), {
    help: "start of the inner PGD",
    topic: "attack",
    default: "uniform",
  }),
  attackMomentum: option("--attack-momentum <decay>", parseNumber, {
    help: "decay of the inner PGD's velocity",
    topic: "attack",
    default: "0",
  }),
  attackPrecision: option("--attack-precision <type>", oneOf(["float32", "int8"]), {
    help: "element type of the inner PGD's products with weights; int8, on CPU, is for wide encoders and processors with VNNI or AMX",
    topic: "attack",
    default: "float32",
  }),
};

export type ObjectiveFlags = Flags<typeof objectiveOptions>;

/**
 * The objective that the flags ask for; a supervised one as a function of its classifier. LORE with a constant lambda is
 * the naive regulariser.
 *
 * @throws UsageError when the constraint is not the method's
 */
export function objectiveOf(flags: ObjectiveFlags): Objective | ((classifier: Classifier) => Objective) {
  const { method, epsilon, stepsPerBatch, constraint, hold } = flags;
  const common = { epsilon, attack: attackOf(flags), ...defined({ stepsPerBatch }) };
  switch (method) {
    case "robust":
      if (constraint === "classes") checkConstraint(method, constraint, "embedding");
      return robust({
        ...common,
        ...distanceFlag(flags, "relational"),
        ...(hold !== undefined && { constraint: { margin: { kind: "kept", share: hold }, dual: controllerDual } }),
        ...(constraint === "embedding" && { constraint: { margin: marginOf(flags), dual: dualOf(flags) } }),
      });
    case "fare":
      checkConstraint(method, constraint, "none");
      return fare({ ...common, ...distanceFlag(flags, "squared-l2") });
    case "lore":
      checkConstraint(method, constraint, "embedding");
      return lore({
        ...common,
        ...distanceFlag(flags, "squared-l2"),
        margin: marginOf(flags),
        dual: dualOf(flags),
      });
    case "tecoa": {
      const bound = constraint === undefined || constraint === "none" ? {} : { constraint: boundOf(constraint, flags) };
      return (classifier) => tecoa({ ...common, classifier, ...bound });
    }
  }
}

/** @throws UsageError when a flag is for fixed steps, and Auto-PGD's are asked for */
function attackOf(flags: ObjectiveFlags): InnerAttackSettings {
  const { attackSchedule: schedule, attackStart: start, attackLoss: loss, attackSteps, epsilonDraw } = flags;
  const { attackStepSize, attackMomentum, attackPrecision } = flags;
  const common = { start, loss, epsilonDraw, ...(attackSteps !== undefined && { steps: attackSteps }) };
  if (schedule === "fixed") {
    const fixed = { schedule, momentum: attackMomentum, precision: attackPrecision };
    return { ...common, ...fixed, ...(attackStepSize !== undefined && { stepSize: attackStepSize }) };
  }
  const [misplaced] = [
    ...(attackStepSize === undefined ? [] : ["--attack-step-size"]),
    ...(attackMomentum > 0 ? ["--attack-momentum"] : []),
    ...(attackPrecision === "int8" ? ["--attack-precision int8"] : []),
  ];
  if (misplaced === undefined) return { ...common, schedule };
  throw new UsageError(
    `${misplaced} does not go with --attack-schedule apgd, which has its own step sizes and momentum, in float32.`,
  );
}

function distanceFlag(
  { distance, temperature, bank }: ObjectiveFlags,
  usual: DistanceKind,
): { readonly distance: Distance } {
  const chosen = distanceOf(distance ?? usual);
  return { distance: "bank" in chosen ? { ...chosen, temperature, bank } : chosen };
}

function checkConstraint(method: string, given: ObjectiveFlags["constraint"], own: ObjectiveFlags["constraint"]): void {
  if (given === undefined || given === own) return;
  throw new UsageError(
    `--constraint ${given} does not go with --method ${method}, whose constraint is ${own}: fare is lore without it, ` +
      "and only tecoa has class distributions to compare.",
  );
}

function boundOf(divergence: TecoaConstraint["divergence"], flags: ObjectiveFlags): TecoaConstraint {
  const dual = dualOf(flags);
  return divergence === "embedding"
    ? { divergence, margin: marginOf(flags), dual }
    : { divergence, margin: classMarginOf(flags), dual };
}

function marginOf({ threshold, rho, marginExponent }: ObjectiveFlags): Margin {
  return threshold === undefined ? { kind: "relative", rho, exponent: marginExponent } : { kind: "fixed", threshold };
}

function classMarginOf({ threshold, rho }: ObjectiveFlags): ClassMargin {
  return threshold === undefined ? { kind: "entropy", rho } : { kind: "fixed", threshold };
}

function dualOf({ dual, dualValue = dual === "network" ? Math.LN2 : 1, dualLearningRate }: ObjectiveFlags): Dual {
  switch (dual) {
    case "network":
      return { kind: "network", hidden: 512, initial: dualValue, learningRate: dualLearningRate };
    case "scalar":
      return { kind: "scalar", initial: dualValue, learningRate: dualLearningRate };
    case "controller":
      return { kind: "controller", initial: dualValue, gain: 0.1 };
    case "constant":
      return { kind: "constant", value: dualValue };
  }
}
