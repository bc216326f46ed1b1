import type { Value } from "../graph/index.ts";

export interface AdamWOptions {
  /** Decoupled: every step shrinks all weights by learningRate * weightDecay. */
  readonly weightDecay: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** PyTorch's. */
export const adamWDefaults = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** What changes from step to step. */
export interface AdamWRates<Number> {
  /** learningRate / (1 - beta1^t) */
  readonly stepSize: Number;
  /** 1 / sqrt(1 - beta2^t) */
  readonly correction: Number;
  /** 1 - learningRate * weightDecay */
  readonly keep: Number;
}

/** @param t steps so far, this one included */
export function adamWRates(t: number, learningRate: number, options: AdamWOptions): AdamWRates<number> {
  const { beta1, beta2, weightDecay } = { ...adamWDefaults, ...options };
  return {
    stepSize: learningRate / (1 - beta1 ** t),
    correction: 1 / Math.sqrt(1 - beta2 ** t),
    keep: 1 - learningRate * weightDecay,
  };
}

/** The rates as a program takes them. */
export function asScalars(rates: AdamWRates<number>): AdamWRates<Float32Array> & Record<string, Float32Array> {
  const { stepSize, correction, keep } = rates;
  return {
    stepSize: Float32Array.of(stepSize),
    correction: Float32Array.of(correction),
    keep: Float32Array.of(keep),
  };
}

export interface AdamWState {
  readonly parameter: Value;
  readonly first: Value;
  readonly second: Value;
}

/**
 * One tensor's step as graph nodes (Loshchilov and Hutter 2019), in float32:
 * m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g^2,
 * p' = keep p - stepSize m' / (correction sqrt(v') + epsilon).
 */
export function adamWUpdate(
  { parameter, first, second }: AdamWState,
  gradient: Value,
  { stepSize, correction, keep }: AdamWRates<Value>,
  options: AdamWOptions,
): AdamWState {
  const { graph: g } = parameter;
  const { beta1, beta2, epsilon } = { ...adamWDefaults, ...options };
  const m = g.add(g.mul(first, beta1), g.mul(gradient, 1 - beta1));
  const v = g.add(g.mul(second, beta2), g.mul(g.mul(gradient, gradient), 1 - beta2));
  const update = g.div(g.mul(m, stepSize), g.add(g.mul(g.sqrt(v), correction), epsilon));
  return { parameter: g.sub(g.mul(parameter, keep), update), first: m, second: v };
}
