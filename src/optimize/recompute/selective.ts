import type { Node, Outputs, Value } from "../../graph/index.ts";
import { isView, stored } from "../storage.ts";
import { type Passes, type Plan, withBackwardPass } from "./backward-pass.ts";

/** One or two passes over memory each: next to nothing beside the products between them. */
const cheap: ReadonlySet<string> = new Set(
  "Abs Add Cast Clip Div Erf Exp Gelu LayerNormalization Log Mul Neg Reciprocal Relu Sigmoid Softplus Sqrt Sub Swish Tanh Transpose".split(
    " ",
  ),
);

/**
 * Saves memory for hardly any time: rebuilds the outputs with a backward pass that recomputes results of element-wise
 * operators or a norm from one other value that is kept anyway (selective recomputation, Korthikanti et al. 2022). For
 * GELU and for norms, it keeps the input only.
 *
 * Results of several values are kept: a residual stream would otherwise be recomputed from its first block on.
 *
 * @param outputs values that depend on the loss's derivatives
 * @param loss what was differentiated; everything it depends on is the forward pass
 */
export function selectivelyRecomputed<const Named extends Outputs>(
  outputs: Named,
  loss: Value,
): { readonly [Name in keyof Named]: Value } {
  return withBackwardPass(outputs, loss, bySource);
}

function bySource({ forward, read }: Passes): Plan {
  const sources = sourcesOf(forward, read);
  const groups = new Map<Value, Value[]>();
  for (const value of read) {
    const source = sources.get(value);
    if (!source || stored(source) === stored(value)) continue;
    // The source is also read anew: otherwise the backward pass's own results from it would use both versions.
    groups.set(source, [...(groups.get(source) ?? [source]), value]);
  }
  return { kept: new Set(groups.keys()), groups: [...groups.values()] };
}

/**
 * Source of every value that cheap operators compute from a single value. The source is read by the backward pass and is
 * not recomputed itself.
 */
function sourcesOf(forward: readonly Node[], read: ReadonlySet<Value>): ReadonlyMap<Value, Value> {
  const sources = new Map<Value, Value>();
  const inForward = new Set(forward.flatMap(({ outputs }) => outputs));
  for (const node of forward) {
    if (!cheap.has(node.op) && !isView(node)) continue;
    const computed = node.inputs.filter((input) => inForward.has(input));
    if (!computed.every((input) => sources.has(input) || read.has(input))) continue;
    const [source, ...others] = new Set(computed.map((input) => sources.get(input) ?? input));
    if (!source || others.length > 0) continue;
    for (const output of node.outputs) sources.set(output, source);
  }
  return sources;
}
