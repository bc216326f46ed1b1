import { type InnerAttack, type InnerAttackSettings, innerAttack } from "../attacks/index.ts";
import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import type { Classifier } from "../models/index.ts";
import {
  type ClassMargin,
  type Constraint,
  checked,
  type Dual,
  entropyMargin,
  type Margin,
  paperDual,
  paperMargin,
} from "./constraint.ts";
import { checkDistance, type Distance, distanceOf } from "./distance.ts";

/** The loss of perturbed images that training minimises: a distance to the original's clean embedding, or a supervised loss. */
export type Loss =
  | Distance
  /** Cross-entropy of the classifier's logits against the labels; its rows are the data's classes, in their order. */
  | { readonly kind: "cross-entropy"; readonly classifier: Classifier };

/**
 * The training problem: a loss to minimise, and a constraint (paper, equations 2, 3, 5 to 7):
 *
 * E[ max over ||delta|| <= epsilon of loss(phi(x + delta)) + lambda(z0) (d(phi(x), z0) - threshold(x)) ]
 *
 * FARE has no constraint, TeCoA another loss.
 */
export interface Objective {
  readonly name: string;
  readonly loss: Loss;
  /** The inner maximisation: once a batch, before the steps on it. */
  readonly attack: InnerAttack;
  /** K: optimiser steps on the same batch with the same perturbation. */
  readonly stepsPerBatch: number;
  readonly constraint: Constraint | undefined;
}

interface Common {
  /** In pixel units: 2/255. */
  readonly epsilon: number;
  /** K. Default 5 for LORE, 1 for the others. */
  readonly stepsPerBatch?: number;
  /** Default: l-inf, 10 steps of epsilon / 4, uniform start, no momentum; the recipe has 2 steps of 0.6 epsilon. */
  readonly attack?: InnerAttackSettings;
}

export interface FareOptions extends Common {
  /** Distance of perturbed images' embeddings from the original's. Default: squared l2; the recipe has relational. */
  readonly distance?: Distance;
}

/** LORE's constraint on a distance of clean embeddings; distance, margin and dual default to the paper's. */
interface EmbeddingBound {
  readonly distance?: Distance;
  readonly margin?: Margin;
  readonly dual?: Dual;
}

export type NaiveOptions = FareOptions & {
  /** The constant multiplier of the clean distance. */
  readonly weight: number;
};

export type LoreOptions = FareOptions &
  Omit<EmbeddingBound, "distance"> & {
    /** The distance that the constraint bounds. Default: squared l2. */
    readonly bounded?: Distance;
  };

export type RobustOptions = FareOptions & {
  /** Default: none; `finetune` blends towards the original instead. */
  readonly constraint?: EmbeddingBound;
};

/** LORE's constraint for TeCoA; margin and dual default to the paper's. */
export type TecoaConstraint =
  | ({ readonly divergence: "embedding" } & EmbeddingBound)
  | { readonly divergence: "classes"; readonly margin?: ClassMargin; readonly dual?: Dual };

export type TecoaOptions = Common & {
  /** One row a class of the data, in the order of its labels: the class names' text embeddings, or a fixed head. */
  readonly classifier: Classifier;
  /** Default: none. */
  readonly constraint?: TecoaConstraint;
};

const squaredL2: Distance = { kind: "squared-l2" };

/**
 * The recipe: perturbed images keep their place among other images' original embeddings, with a fresh attack of two steps
 * before every update. docs/RESULTS.md holds it against LORE, FARE and other controls at equal compute.
 *
 * @example
 * ```ts
 * import { robust } from "lore-vision";
 *
 * const objective = robust({ epsilon: 2 / 255 });
 * const gentle = robust({ epsilon: 2 / 255, attack: { steps: 1, stepSize: 2 / 255 } });
 * console.log(objective.attack, gentle.attack);
 * ```
 */
export function robust({
  distance = distanceOf("relational"),
  attack,
  constraint,
  ...common
}: RobustOptions): Objective {
  const short = { steps: 2, stepSize: 0.6 * common.epsilon };
  const given = attack?.schedule === "apgd" ? attack : { ...short, ...attack };
  return objective("robust", distance, { ...common, attack: given }, constraint && bound(constraint, distance));
}

/**
 * LORE: the clean embedding stays within a per-image margin of the original's (paper, equation 7).
 *
 * @example
 * ```ts
 * import { lore } from "lore-vision";
 *
 * const published = lore({ epsilon: 2 / 255 });
 * const looser = lore({ epsilon: 2 / 255, margin: { kind: "relative", rho: 0.4, exponent: 2 } });
 * console.log(published.constraint, looser.constraint);
 * ```
 */
export function lore({
  distance = squaredL2,
  bounded,
  margin,
  dual,
  stepsPerBatch = 5,
  ...rest
}: LoreOptions): Objective {
  const constraint = bound(defined({ margin, dual }), bounded ?? squaredL2);
  return objective("lore", distance, { ...rest, stepsPerBatch }, constraint);
}

/**
 * FARE: no constraint (Schlarmann et al. 2024; paper, equation 2).
 *
 * @example
 * ```ts
 * import { fare } from "lore-vision";
 *
 * const published = fare({ epsilon: 2 / 255 });
 * const control = fare({ epsilon: 2 / 255, stepsPerBatch: 5 }); // as many steps as LORE
 * console.log(published.stepsPerBatch, control.stepsPerBatch);
 * ```
 */
export function fare({ distance = squaredL2, ...common }: FareOptions): Objective {
  return objective("fare", distance, common, undefined);
}

/**
 * FARE plus a constant multiple of the clean distance (paper, equation 3).
 *
 * @example
 * ```ts
 * import { naive } from "lore-vision";
 *
 * const objective = naive({ epsilon: 2 / 255, weight: 1, stepsPerBatch: 5 });
 * console.log(objective.constraint);
 * ```
 */
export function naive({ weight, distance = squaredL2, ...common }: NaiveOptions): Objective {
  const margin = { kind: "fixed", threshold: 0 } as const;
  const constraint = bound({ margin, dual: { kind: "constant", value: weight } }, distance);
  return objective("naive", distance, common, constraint);
}

/**
 * TeCoA: supervised adversarial contrastive fine-tuning (Mao et al. 2023), without a constraint as published or with
 * LORE's (paper, section 6.4 and appendix J.7).
 *
 * @example
 * ```ts
 * import { finetune, imageFolder, loadEncoder, tecoa } from "lore-vision";
 * import { zeroShotClassifier } from "lore-vision/models";
 *
 * const clip = await loadEncoder("openai/clip-vit-base-patch32");
 * const pets = imageFolder("pets"); // one sub-folder a class
 * const names = (pets.classes ?? []).map(({ name }) => name);
 * const classifier = await zeroShotClassifier(clip, names, ["This is a photo of a {}"]);
 * const { encoder } = await finetune(clip, pets, tecoa({ epsilon: 2 / 255, classifier }));
 * console.log(encoder.name);
 * ```
 */
export function tecoa({ classifier, constraint, ...common }: TecoaOptions): Objective {
  const loss: Loss = { kind: "cross-entropy", classifier };
  return objective("tecoa", loss, common, constraint && complete(constraint, classifier));
}

function bound({ distance, margin = paperMargin, dual = paperDual }: EmbeddingBound, otherwise: Distance): Constraint {
  return checked({ divergence: "embedding", distance: distance ?? otherwise, margin, dual });
}

function complete(constraint: TecoaConstraint, classifier: Classifier): Constraint {
  switch (constraint.divergence) {
    case "embedding":
      return bound(constraint, squaredL2);
    case "classes":
      return checked({ margin: entropyMargin, dual: paperDual, ...constraint, classifier });
  }
}

function objective(name: string, loss: Loss, common: Common, constraint: Constraint | undefined): Objective {
  const { epsilon, stepsPerBatch = 1, attack } = common;
  if (!Number.isInteger(stepsPerBatch) || stepsPerBatch < 1) {
    throw new UsageError(`Steps per batch must be a positive integer, got ${stepsPerBatch}.`);
  }
  if (loss.kind !== "cross-entropy") checkDistance(loss);
  if (constraint?.divergence === "embedding") checkDistance(constraint.distance);
  return { name, loss, attack: innerAttack({ ...attack, epsilon }), stepsPerBatch, constraint };
}
