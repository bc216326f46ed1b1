import type { Value } from "../graph/index.ts";
import { gaussian, reachable } from "../graph/index.ts";
import { rewritten } from "./rewrite.ts";

/**
 * Exact GELU as x Phi(x) = u (1 + erf(u)) / sqrt(2), u = x / sqrt(2), where erf(u) is computed anyway: its derivative needs
 * it, and the error function is the dearest part of both.
 */
export function withSharedErf(values: readonly Value[]): readonly Value[] {
  const known = new Set(reachable(values).nodes);
  return rewritten(values, ({ op, attributes, inputs: [before] }, [x]) => {
    if (op !== "Gelu" || attributes.approximate !== "none") return undefined;
    const { origin } = gaussian(before!).twicePhi;
    if (origin.kind !== "node" || !known.has(origin.node)) return undefined;
    const { graph: g } = x!;
    const now = gaussian(x!);
    return [g.mul(g.mul(now.u, now.twicePhi), Math.SQRT1_2)];
  });
}
