import type { Value } from "./value.ts";

/**
 * Common parts of exact GELU and its derivative: u = x / sqrt(2), and 1 + erf(u), twice the standard normal
 * distribution's cumulative function Phi(x).
 */
export function gaussian(x: Value): { readonly u: Value; readonly twicePhi: Value } {
  const { graph: g } = x;
  const u = g.mul(x, Math.SQRT1_2);
  return { u, twicePhi: g.add(g.erf(u), 1) };
}

/** Common parts of x sigmoid(alpha x) and its derivative: z = alpha x, and s = sigmoid(z). */
export function gated(x: Value, alpha: number): { readonly z: Value; readonly s: Value } {
  const { graph: g } = x;
  const z = alpha === 1 ? x : g.mul(x, alpha);
  return { z, s: g.sigmoid(z) };
}

/** Whether neither the factor nor its inverse causes overflow, except near the end of float32's range. */
export function isModerate(factor: number): boolean {
  return Math.abs(factor) >= 2 ** -10 && Math.abs(factor) <= 2 ** 10;
}
