import type { Value } from "../../graph/value.ts";
import { Again, type Outputs, passesOf, withBackwardPass } from "./backward-pass.ts";
import { segments } from "./segments.ts";

/**
 * Trades time for memory: the outputs once more, with a backward pass that computes what it reads of the forward pass
 * again, segment by segment, from the few values between segments (Chen et al. 2016). Values are the same to the last bit;
 * the forward pass is computed about twice.
 *
 * @param outputs values that depend on the loss's derivatives
 * @param loss what was differentiated; everything it depends on is the forward pass
 */
export function recomputed<const Named extends Outputs>(
  outputs: Named,
  loss: Value,
): { readonly [Name in keyof Named]: Value } {
  const passes = passesOf(outputs, loss);
  const parts = segments(passes.forward, passes.read);
  const kept = new Set(parts.flatMap(({ boundary }) => boundary));
  const again = new Map<Value, Again>();
  // What the last segment computed is read at once, and the first has no boundary.
  for (const { nodes } of parts.slice(1, -1)) {
    const segment = new Again(kept);
    for (const value of nodes.flatMap((node) => node.outputs)) if (!kept.has(value)) again.set(value, segment);
  }
  return withBackwardPass(outputs, passes, kept, again);
}
