import type { Value } from "./value.ts";

/**
 * What exact GELU and its derivative are made of: u = x / sqrt(2), and 1 + erf(u), twice the standard normal
 * distribution's cumulative function Phi(x).
 */
export function gaussian(x: Value): { readonly u: Value; readonly twicePhi: Value } {
  const { graph: g } = x;
  const u = g.mul(x, Math.SQRT1_2);
  return { u, twicePhi: g.add(g.erf(u), 1) };
}
