import type { Value } from "./value.ts";

/** Phi, the standard normal distribution's cumulative function. */
export function normalCdf(x: Value): Value {
  const { graph: g } = x;
  return g.add(g.mul(g.erf(g.mul(x, Math.SQRT1_2)), 0.5), 0.5);
}
