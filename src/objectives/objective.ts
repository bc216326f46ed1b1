import { type InnerAttack, type InnerAttackOptions, innerAttack } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import type { Classifier } from "../models/classifier.ts";
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

/** What the adversary maximises on perturbed images, and training minimises; z0 is the original's clean embedding. */
export type Loss =
  /** ||phi(x + delta) - z0||^2: no labels (FARE, LORE). */
  | { readonly kind: "embedding" }
  /** Cross-entropy of the classifier's logits against the labels; its rows are the data's classes, in their order. */
  | { readonly kind: "cross-entropy"; readonly classifier: Classifier };

/**
 * What training minimises, and under which constraint (paper, equations 2, 3, 5 to 7):
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
  /** K. Default 5 for LORE, 1 for the others, as published. */
  readonly stepsPerBatch?: number;
  /** Default: l-inf, 10 steps of epsilon / 4, uniform start, no momentum. */
  readonly attack?: Omit<InnerAttackOptions, "epsilon">;
}

export type LoreOptions = Common & {
  readonly margin?: Margin;
  readonly dual?: Dual;
};

/** LORE's constraint for TeCoA; margin and dual default to the paper's. */
export type TecoaConstraint =
  | { readonly divergence: "embedding"; readonly margin?: Margin; readonly dual?: Dual }
  | { readonly divergence: "classes"; readonly margin?: ClassMargin; readonly dual?: Dual };

export type TecoaOptions = Common & {
  /** One row a class of the data, in the order of its labels: the class names' text embeddings, or a fixed head. */
  readonly classifier: Classifier;
  /** Default: none. */
  readonly constraint?: TecoaConstraint;
};

/** LORE: the clean embedding stays within a per-image margin of the original's (paper, equation 7). */
export function lore({ margin = paperMargin, dual = paperDual, stepsPerBatch = 5, ...rest }: LoreOptions): Objective {
  const constraint = checked({ divergence: "embedding", margin, dual });
  return objective("lore", { kind: "embedding" }, { ...rest, stepsPerBatch }, constraint);
}

/** FARE: no constraint (Schlarmann et al. 2024; paper, equation 2). */
export function fare(common: Common): Objective {
  return objective("fare", { kind: "embedding" }, common, undefined);
}

/** FARE plus a constant multiple of the clean distance (paper, equation 3). */
export function naive({ weight, ...common }: Common & { readonly weight: number }): Objective {
  const constraint = checked({
    divergence: "embedding",
    margin: { kind: "fixed", threshold: 0 },
    dual: { kind: "constant", value: weight },
  });
  return objective("naive", { kind: "embedding" }, common, constraint);
}

/**
 * TeCoA: supervised adversarial contrastive fine-tuning (Mao et al. 2023), without a constraint as published or with
 * LORE's (paper, section 6.4 and appendix J.7).
 */
export function tecoa({ classifier, constraint, ...common }: TecoaOptions): Objective {
  const loss: Loss = { kind: "cross-entropy", classifier };
  return objective("tecoa", loss, common, constraint && complete(constraint, classifier));
}

function complete(constraint: TecoaConstraint, classifier: Classifier): Constraint {
  switch (constraint.divergence) {
    case "embedding":
      return checked({ margin: paperMargin, dual: paperDual, ...constraint });
    case "classes":
      return checked({ margin: entropyMargin, dual: paperDual, ...constraint, classifier });
  }
}

function objective(name: string, loss: Loss, common: Common, constraint: Constraint | undefined): Objective {
  const { epsilon, stepsPerBatch = 1, attack } = common;
  if (!Number.isInteger(stepsPerBatch) || stepsPerBatch < 1) {
    throw new UsageError(`Steps per batch must be a positive integer, got ${stepsPerBatch}.`);
  }
  return { name, loss, attack: innerAttack({ ...attack, epsilon }), stepsPerBatch, constraint };
}
