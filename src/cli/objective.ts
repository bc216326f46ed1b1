import { type Command, Option } from "commander";
import type { EpsilonDraw, FixedSteps, InnerAttack, InnerAttackSettings } from "../attacks/index.ts";
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
import { parseCount, parseEpsilon, parseFraction, parseNumber } from "./options.ts";

/** What is minimised, and under which constraint. */
export interface ObjectiveFlags {
  readonly method: "robust" | "lore" | "fare" | "tecoa";
  readonly epsilon: number;
  readonly epsilonDraw: EpsilonDraw;
  readonly distance?: DistanceKind;
  readonly temperature: number;
  readonly bank: number;
  readonly stepsPerBatch?: number;
  readonly templates?: string;
  readonly constraint?: "none" | TecoaConstraint["divergence"];
  readonly hold?: number;
  readonly rho: number;
  readonly marginExponent: number;
  readonly threshold?: number;
  readonly dual: Dual["kind"];
  readonly dualValue?: number;
  readonly dualLearningRate: number;
  readonly attackSchedule: InnerAttack["schedule"];
  readonly attackLoss: InnerAttack["loss"];
  readonly attackSteps?: number;
  readonly attackStepSize?: number;
  readonly attackStart: InnerAttack["start"];
  readonly attackMomentum: number;
  readonly attackPrecision: FixedSteps["precision"];
}

export function withObjectiveFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--method <name>", "what is minimised").choices(["robust", "lore", "fare", "tecoa"]).default("robust"),
    )
    .option("--epsilon <size>", "size of the perturbation (l-inf)", parseEpsilon, 2 / 255)
    .addOption(
      new Option(
        "--epsilon-draw <how>",
        "each image's size: epsilon, epsilon U or epsilon sqrt(U), U uniform in [0, 1]",
      )
        .choices(["constant", "uniform", "sqrt"])
        .default("constant"),
    )
    .addOption(
      new Option(
        "--distance <kind>",
        "what perturbed images keep to the original by (default: relational for robust, squared-l2 for lore and fare)",
      ).choices(distanceKinds),
    )
    .option("--temperature <t>", "of relational and contrastive distances", parseNumber, 0.1)
    .option("--bank <n>", "original embeddings that those distances compare with", parseCount, 256)
    .option("--steps-per-batch <k>", "optimiser steps a batch (default: 5 for lore, 1 for others)", parseCount)
    .option(
      "--templates <prompts>",
      `tecoa: prompts of the class names: a set's name, a file, or one template (default: the encoder's head, without one "${tecoaTemplate}")`,
    )
    .addOption(
      new Option(
        "--constraint <divergence>",
        "what holds clean images for robust and tecoa: a distance of embeddings; for tecoa also KL between class distributions (default: none)",
      ).choices(["none", "embedding", "classes"]),
    )
    .option("--rho <rho>", "allowed clean distance, as a share of the margin", parseNumber, 0.1)
    .option("--margin-exponent <p>", "margin is ||phi0(x)||^p; of classes, the entropy", parseNumber, 2)
    .option(
      "--threshold <distance>",
      "allow this clean distance for every image, instead of rho times the margin",
      parseNumber,
    )
    .option(
      "--hold <share>",
      "robust: hold clean images while training, so that this share of the original's is kept",
      parseFraction,
    )
    .addOption(
      new Option("--dual <kind>", "what gives lambda")
        .choices(["network", "scalar", "controller", "constant"])
        .default("network"),
    )
    .option(
      "--dual-value <lambda>",
      "lambda at the start (default: 0.69 for network, 1 for scalar, constant)",
      parseNumber,
    )
    .option("--dual-learning-rate <rate>", "learning rate of the dual ascent", parseNumber, 5e-4)
    .addOption(
      new Option("--attack-schedule <name>", "step sizes of the inner PGD: all the same, or Auto-PGD's, on CPU")
        .choices(["fixed", "apgd"])
        .default("fixed"),
    )
    .option("--attack-steps <n>", "steps of the inner PGD (default: 2 for robust, 10 for others)", parseCount)
    .option(
      "--attack-step-size <size>",
      "step size of the inner PGD (default: 0.6 epsilon for robust, epsilon / 4 for others)",
      parseEpsilon,
    )
    .addOption(
      new Option(
        "--attack-loss <loss>",
        "what the inner attack maximises: what is minimised, or the squared l2 distance",
      )
        .choices(["objective", "squared-l2"])
        .default("objective"),
    )
    .addOption(
      new Option("--attack-start <where>", "start of the inner PGD").choices(["uniform", "zero"]).default("uniform"),
    )
    .option("--attack-momentum <decay>", "decay of the inner PGD's velocity", parseNumber, 0)
    .addOption(
      new Option(
        "--attack-precision <type>",
        "of the inner PGD's products by weights; int8, on CPU, is for wide encoders and processors with VNNI or AMX",
      )
        .choices(["float32", "int8"])
        .default("float32"),
    );
}

/**
 * The objective that the flags ask for; a supervised one as a function of its classifier. LORE with a constant lambda is
 * the naive regulariser.
 *
 * @throws UsageError when the constraint is not the method's
 */
export function objectiveOf(flags: ObjectiveFlags): Objective | ((classifier: Classifier) => Objective) {
  const { method, epsilon, stepsPerBatch, constraint, hold } = flags;
  const common = { epsilon, attack: attackOf(flags), ...(stepsPerBatch !== undefined && { stepsPerBatch }) };
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
