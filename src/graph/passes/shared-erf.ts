import { normalCdf } from "../functions.ts";
import { reachable } from "../reachable.ts";
import type { Value } from "../value.ts";
import { rewritten } from "./rewrite.ts";

/**
 * Exact GELU as x Phi(x) where Phi(x) is computed anyway: its derivative needs it, and the error function is the dearest
 * part of both.
 */
export function withSharedErf(values: readonly Value[]): readonly Value[] {
  const known = new Set(reachable(values).nodes);
  return rewritten(values, ({ op, attributes, inputs: [before] }, [x]) => {
    if (op !== "Gelu" || attributes.approximate !== "none") return undefined;
    const { origin } = normalCdf(before!);
    return origin.kind === "node" && known.has(origin.node) ? [x!.graph.mul(x!, normalCdf(x!))] : undefined;
  });
}
