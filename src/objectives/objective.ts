import { type Pgd, pgd } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";

/** How far a clean embedding may move before the constraint is violated: d(phi(x), z0) <= threshold(z0). */
export type Margin =
  /** threshold = rho * ||z0||^exponent. The paper's section 5 has exponent 2; its section 6.4 reads as 1. */
  | { readonly kind: "relative"; readonly rho: number; readonly exponent: number }
  /** One threshold for every image (the paper's Table 13). */
  | { readonly kind: "fixed"; readonly threshold: number };

/** What gives an image its multiplier lambda. */
export type Dual =
  /** lambda = softplus(MLP(z0)), two layers with ReLU between, trained by Adam ascent (the paper's choice). */
  | { readonly kind: "network"; readonly hidden: number; readonly initial: number; readonly learningRate: number }
  /** lambda = softplus(s), one trained number for all images: the constraint holds on average (paper, appendix B). */
  | { readonly kind: "scalar"; readonly initial: number; readonly learningRate: number }
  /** lambda fixed: the naive regulariser (paper, equation 3). */
  | { readonly kind: "constant"; readonly value: number };

export interface Constraint {
  readonly margin: Margin;
  readonly dual: Dual;
}

/**
 * What training minimises, and under which constraint (paper, equations 2, 3, 5 to 7):
 *
 * E[ max over ||delta|| <= epsilon of ||phi(x + delta) - z0||^2 + lambda(z0) (||phi(x) - z0||^2 - threshold(z0)) ]
 *
 * The methods differ in `constraint` and `stepsPerBatch` only: FARE has no constraint.
 */
export interface Objective {
  readonly name: string;
  /** The inner maximisation: once a batch, before the steps on it. */
  readonly attack: Pgd;
  /** K: optimiser steps on the same batch with the same perturbation. */
  readonly stepsPerBatch: number;
  readonly constraint: Constraint | undefined;
}

interface Common {
  /** In pixel units: 2/255. */
  readonly epsilon: number;
  /** K. Default 5 for LORE, 1 for FARE, as published. */
  readonly stepsPerBatch?: number;
  /** Default: l-inf, 10 steps of epsilon / 4, uniform start, no momentum. */
  readonly attack?: Partial<Omit<Pgd, "kind" | "epsilon" | "restarts">>;
}

export type LoreOptions = Common & {
  readonly margin?: Margin;
  readonly dual?: Dual;
};

/** Settings of the paper's section 5 and appendix C. */
export const paperMargin: Margin = { kind: "relative", rho: 0.1, exponent: 2 };
export const paperDual: Dual = { kind: "network", hidden: 512, initial: Math.LN2, learningRate: 5e-4 };

/** LORE: the clean embedding stays within a per-image margin of the original's (paper, equation 7). */
export function lore({ margin = paperMargin, dual = paperDual, stepsPerBatch = 5, ...rest }: LoreOptions): Objective {
  const size = margin.kind === "relative" ? margin.rho : margin.threshold;
  if (!(size >= 0)) throw new UsageError(`The margin must not be negative, got ${size}.`);
  if (margin.kind === "relative" && !Number.isFinite(margin.exponent)) {
    throw new UsageError(`The margin's exponent must be a number, got ${margin.exponent}.`);
  }
  checkDual(dual);
  return objective("lore", { ...rest, stepsPerBatch }, { margin, dual });
}

/** FARE: no constraint (Schlarmann et al. 2024; paper, equation 2). */
export function fare({ stepsPerBatch = 1, ...rest }: Common): Objective {
  return objective("fare", { ...rest, stepsPerBatch }, undefined);
}

/** FARE plus a constant multiple of the clean distance (paper, equation 3). */
export function naive({ weight, stepsPerBatch = 1, ...rest }: Common & { readonly weight: number }): Objective {
  const constraint: Constraint = { margin: { kind: "fixed", threshold: 0 }, dual: { kind: "constant", value: weight } };
  checkDual(constraint.dual);
  return objective("naive", { ...rest, stepsPerBatch }, constraint);
}

function checkDual(dual: Dual): void {
  if (dual.kind === "constant") {
    if (!(dual.value >= 0)) throw new UsageError(`A constant lambda must not be negative, got ${dual.value}.`);
    return;
  }
  if (!(dual.learningRate > 0))
    throw new UsageError(`The dual learning rate must be positive, got ${dual.learningRate}.`);
  // softplus never gives 0: a lambda that started there could not rise.
  if (dual.kind === "scalar" && !(dual.initial > 0)) {
    throw new UsageError(`A scalar lambda must start above 0, got ${dual.initial}; for lambda = 0 use a constant.`);
  }
}

function objective(name: string, common: Common, constraint: Constraint | undefined): Objective {
  const { epsilon, stepsPerBatch = 1, attack } = common;
  if (!Number.isInteger(stepsPerBatch) || stepsPerBatch < 1) {
    throw new UsageError(`Steps per batch must be a positive integer, got ${stepsPerBatch}.`);
  }
  return { name, attack: pgd({ steps: 10, ...attack, epsilon }), stepsPerBatch, constraint };
}

/**
 * Thresholds of a batch of original embeddings.
 *
 * @param embeddings [count, size], row-major
 * @returns [count]
 */
export function thresholds(margin: Margin, embeddings: Float32Array, size: number): Float32Array {
  const count = embeddings.length / size;
  if (margin.kind === "fixed") return new Float32Array(count).fill(margin.threshold);
  return Float32Array.from({ length: count }, (_, i) => {
    let squared = 0;
    for (let d = i * size; d < (i + 1) * size; d++) squared += embeddings[d]! ** 2;
    return margin.rho * squared ** (margin.exponent / 2);
  });
}
