import { UsageError } from "../errors.ts";
import type { Classifier } from "../models/index.ts";
import type { Distance } from "./distance.ts";

/** How far a clean embedding may move before the constraint is violated: d(phi(x), z0) <= threshold(z0). */
export type Margin =
  /** threshold = rho * ||z0||^exponent. The paper's section 5 has exponent 2; its section 6.4 reads as 1. */
  | { readonly kind: "relative"; readonly rho: number; readonly exponent: number }
  /** One threshold for every image (the paper's Table 13). */
  | { readonly kind: "fixed"; readonly threshold: number }
  /** The distance at which the share of the original's behaviour is kept, on the original embeddings' own scale. */
  | { readonly kind: "kept"; readonly share: number };

/** How far a clean image's class distribution may move, in nats. */
export type ClassMargin =
  /** threshold = rho * H(p0(x)): little where the original is sure, more where it is not (the paper's appendix J.7). */
  { readonly kind: "entropy"; readonly rho: number } | { readonly kind: "fixed"; readonly threshold: number };

/** The source of an image's multiplier lambda. */
export type Dual =
  /** lambda = softplus(MLP(z0)), two layers with ReLU between, trained by Adam ascent (the paper's choice). */
  | { readonly kind: "network"; readonly hidden: number; readonly initial: number; readonly learningRate: number }
  /** lambda = softplus(s), one trained number for all images: the constraint holds on average (paper, appendix B). */
  | { readonly kind: "scalar"; readonly initial: number; readonly learningRate: number }
  /**
   * One lambda for all images, by proportional-integral control of its logarithm on the relative violation d / t - 1, which
   * has no scale: it finds its size in tens of batches (as damped multipliers do, Platt and Barr 1987).
   */
  | { readonly kind: "controller"; readonly initial: number; readonly gain: number }
  /** lambda fixed: the naive regulariser (paper, equation 3). */
  | { readonly kind: "constant"; readonly value: number };

/** d(phi(x), z0) is a distance of embeddings, in the paper ||phi(x) - z0||^2. */
interface EmbeddingConstraint {
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
interface ClassConstraint {
  readonly divergence: "classes";
  readonly classifier: Classifier;
  readonly margin: ClassMargin;
  readonly dual: Dual;
}

/** The bound on clean images: their divergence from the original stays within a margin. */
export type Constraint = EmbeddingConstraint | ClassConstraint;

/** Settings of the paper's section 5 and appendix C. */
export const paperMargin: Margin = { kind: "relative", rho: 0.1, exponent: 2 };
export const paperDual: Dual = { kind: "network", hidden: 512, initial: Math.LN2, learningRate: 5e-4 };
/** Damps without delay: log lambda moves by 0.1 a batch at full violation, and five times that with its change. */
export const controllerDual: Dual = { kind: "controller", initial: 1, gain: 0.1 };
/** The paper's rho on the margin of its appendix J.7. */
export const entropyMargin: ClassMargin = { kind: "entropy", rho: 0.1 };

/** @throws UsageError when a margin or multiplier is out of range */
export function checked<C extends Constraint>(constraint: C): C {
  const { margin, dual } = constraint;
  checkDual(dual);
  if (margin.kind === "kept") {
    const { share } = margin;
    if (share > 0 && share < 1) return constraint;
    throw new UsageError(`The share that a margin keeps lies between 0 and 1, got ${share}.`);
  }
  const size = margin.kind === "fixed" ? margin.threshold : margin.rho;
  if (!(size >= 0)) throw new UsageError(`The margin must not be negative, got ${size}.`);
  if (margin.kind === "relative" && !Number.isFinite(margin.exponent)) {
    throw new UsageError(`The margin's exponent must be a number, got ${margin.exponent}.`);
  }
  return constraint;
}

function checkDual(dual: Dual): void {
  if (dual.kind === "constant") {
    if (!(dual.value >= 0)) throw new UsageError(`A constant lambda must not be negative, got ${dual.value}.`);
    return;
  }
  if (dual.kind === "controller") {
    if (dual.gain > 0 && dual.initial > 0) return;
    throw new UsageError(
      `A controller's gain and first lambda must be positive, got ${dual.gain} and ${dual.initial}.`,
    );
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
export function thresholds(
  margin: Exclude<Margin, { readonly kind: "kept" }>,
  embeddings: Float32Array,
  size: number,
): Float32Array {
  const count = embeddings.length / size;
  if (margin.kind === "fixed") return new Float32Array(count).fill(margin.threshold);
  return Float32Array.from({ length: count }, (_, i) => {
    let squared = 0;
    for (let d = i * size; d < (i + 1) * size; d++) squared += embeddings[d]! ** 2;
    return margin.rho * squared ** (margin.exponent / 2);
  });
}

/**
 * The distance at which a share is kept: of variance for l2, of the cosine, of probability for relations.
 *
 * @param spread mean squared l2 distance of original embeddings to their mean
 */
export function distanceKeeping({ kind }: Distance, share: number, spread: number): number {
  switch (kind) {
    case "squared-l2":
      return (1 - share) * spread;
    case "l2":
      return Math.sqrt((1 - share) * spread);
    case "cosine":
      return 1 - share;
    case "relational":
      return -Math.log(share);
    case "contrastive":
      throw new UsageError("A contrastive distance is not 0 at the original: it cannot be bounded by a share to keep.");
  }
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
