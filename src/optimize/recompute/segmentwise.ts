import type { Outputs, Value } from "../../graph/index.ts";
import { type Passes, type Plan, withBackwardPass } from "./backward-pass.ts";
import { segments } from "./segments.ts";

/**
 * Trades time for memory: rebuilds the outputs with a backward pass that recomputes the forward pass, segment by segment,
 * from the few values between segments (Chen et al. 2016). Values are the same to the last bit. The forward pass is
 * computed about twice.
 *
 * @param outputs values that depend on the loss's derivatives
 * @param loss what was differentiated; everything it depends on is the forward pass
 */
export function recomputed<const Named extends Outputs>(
  outputs: Named,
  loss: Value,
): { readonly [Name in keyof Named]: Value } {
  return withBackwardPass(outputs, loss, bySegment);
}

function bySegment({ forward, read }: Passes): Plan {
  const parts = segments(forward, read);
  const kept = new Set(parts.flatMap(({ boundary }) => boundary));
  // Results of the last segment are read at once, and the first segment has no boundary.
  const groups = parts
    .slice(1, -1)
    .map(({ nodes }) => nodes.flatMap(({ outputs }) => outputs.filter((value) => !kept.has(value))));
  return { kept, groups };
}
