import { UsageError } from "../errors.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Distance } from "./distance.ts";

/** How far a clean embedding may move before the constraint is violated: d(phi(x), z0) <= threshold(z0). */
export type Margin =
  /** threshold = rho * ||z0||^exponent. The paper's section 5 has exponent 2; its section 6.4 reads as 1. */
  | { readonly kind: "relative"; readonly rho: number; readonly exponent: number }
  /** One threshold for every image (the paper's Table 13). */
  | { readonly kind: "fixed"; readonly threshold: number };

/** How far a clean image's class distribution may move, in nats. */
export type ClassMargin =
  /** threshold = rho * H(p0(x)): little where the original is sure, more where it is not (the paper's appendix J.7). */
  { readonly kind: "entropy"; readonly rho: number } | { readonly kind: "fixed"; readonly threshold: number };

/** What gives an image its multiplier lambda. */
export type Dual =
  /** lambda = softplus(MLP(z0)), two layers with ReLU between, trained by Adam ascent (the paper's choice). */
  | { readonly kind: "network"; readonly hidden: number; readonly initial: number; readonly learningRate: number }
  /** lambda = softplus(s), one trained number for all images: the constraint holds on average (paper, appendix B). */
  | { readonly kind: "scalar"; readonly initial: number; readonly learningRate: number }
  /** lambda fixed: the naive regulariser (paper, equation 3). */
  | { readonly kind: "constant"; readonly value: number };

/** d(phi(x), z0) is a distance of embeddings, in the paper ||phi(x) - z0||^2. */
export interface EmbeddingConstraint {
  readonly divergence: "embedding";
  readonly distance: Distance;
  readonly margin: Margin;
  readonly dual: Dual;
}

/**
 * d(phi(x), z0) = KL(p0(x) || p(x)) in nats, p0 and p the class distributions that the classifier gives the original
 * and the trained embedding. No labels are involved.
 *
 * The paper leaves the direction open. This one keeps probability wherever the original had some, as in distillation;
 * its gradient in the logits, p - p0, does not fade where p has lost a class. And it shares its unit with the entropy
 * margin: KL(p0 || p) <= rho H(p0) says that the cross-entropy of p under p0 is at most (1 + rho) H(p0).
 */
export interface ClassConstraint {
  readonly divergence: "classes";
  readonly classifier: Classifier;
  readonly margin: ClassMargin;
  readonly dual: Dual;
}

/** What holds the clean images: their divergence from the original stays within a margin. */
export type Constraint = EmbeddingConstraint | ClassConstraint;

/** Settings of the paper's section 5 and appendix C. */
export const paperMargin: Margin = { kind: "relative", rho: 0.1, exponent: 2 };
export const paperDual: Dual = { kind: "network", hidden: 512, initial: Math.LN2, learningRate: 5e-4 };
/** The paper's rho on the margin of its appendix J.7. */
export const entropyMargin: ClassMargin = { kind: "entropy", rho: 0.1 };

/** @throws UsageError when a margin or multiplier is out of range */
export function checked<C extends Constraint>(constraint: C): C {
  const { margin, dual } = constraint;
  const size = margin.kind === "fixed" ? margin.threshold : margin.rho;
  if (!(size >= 0)) throw new UsageError(`The margin must not be negative, got ${size}.`);
  if (margin.kind === "relative" && !Number.isFinite(margin.exponent)) {
    throw new UsageError(`The margin's exponent must be a number, got ${margin.exponent}.`);
  }
  checkDual(dual);
  return constraint;
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

/**
 * Thresholds of a batch of class distributions.
 *
 * @param entropy H(p0(x)) in nats, [count]
 * @returns [count]
 */
export function classThresholds(margin: ClassMargin, entropy: Float32Array): Float32Array {
  return entropy.map((nats) => (margin.kind === "fixed" ? margin.threshold : margin.rho * nats));
}
