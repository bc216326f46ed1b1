import type { Arithmetic } from "./wasm/index.ts";

export interface AdamWOptions {
  /** Decoupled: every step shrinks all weights by learningRate * weightDecay. */
  readonly weightDecay: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** PyTorch's. */
export const adamWDefaults = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** Numbers that change from step to step. */
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

/** The rates as inputs of a program. */
export function asScalars(rates: AdamWRates<number>): AdamWRates<Float32Array> & Record<string, Float32Array> {
  const { stepSize, correction, keep } = rates;
  return {
    stepSize: Float32Array.of(stepSize),
    correction: Float32Array.of(correction),
    keep: Float32Array.of(keep),
  };
}

export interface AdamWState<V> {
  readonly parameter: V;
  readonly first: V;
  readonly second: V;
}

/**
 * One step (Loshchilov and Hutter 2019), as a graph's nodes or a loop's body, in float32:
 * m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g^2,
 * p' = keep p - stepSize m' / (correction sqrt(v') + epsilon).
 */
export function adamWUpdate<V>(
  k: Arithmetic<V>,
  { parameter, first, second }: AdamWState<V>,
  gradient: V,
  { stepSize, correction, keep }: AdamWRates<V>,
  options: AdamWOptions,
): AdamWState<V> {
  const { beta1, beta2, epsilon } = { ...adamWDefaults, ...options };
  const m = k.add(k.mul(first, beta1), k.mul(gradient, 1 - beta1));
  const v = k.add(k.mul(second, beta2), k.mul(k.mul(gradient, gradient), 1 - beta2));
  const update = k.div(k.mul(m, stepSize), k.add(k.mul(k.sqrt(v), correction), epsilon));
  return { parameter: k.sub(k.mul(parameter, keep), update), first: m, second: v };
}
