import { isView, stored } from "../../graph/storage.ts";
import type { Node, Value } from "../../graph/value.ts";
import { Again, type Outputs, passesOf, withBackwardPass } from "./backward-pass.ts";

/** One or two passes over memory each: next to nothing beside the products between them. */
const cheap: ReadonlySet<string> = new Set(
  "Abs Add Cast Clip Div Erf Exp Gelu LayerNormalization Log Mul Neg Reciprocal Relu Sigmoid Softplus Sqrt Sub Tanh Transpose".split(
    " ",
  ),
);

/**
 * Less memory for hardly any time: the outputs once more, with a backward pass that computes again what a few
 * element-wise operators or a norm make of other values that it keeps anyway (selective recomputation, Korthikanti et al.
 * 2022). Of GELU's input and output it then keeps the input, of a norm's the input. Values are the same to the last bit.
 *
 * @param outputs values that depend on the loss's derivatives
 * @param loss what was differentiated; everything it depends on is the forward pass
 */
export function selectivelyRecomputed<const Named extends Outputs>(
  outputs: Named,
  loss: Value,
): { readonly [Name in keyof Named]: Value } {
  const passes = passesOf(outputs, loss);
  const sources = sourcesOf(passes.forward, passes.read);
  const made = [...passes.read].filter((value) => sources.has(value) && !liesIn(value, sources.get(value)!));
  const kept = new Set(made.flatMap((value) => [...sources.get(value)!]));
  const bySource = new Map([...kept].map((source) => [source, new Again(kept)]));
  // The sources too are read anew: what is made of both would otherwise be made of each.
  const again = new Map(bySource);
  for (const value of made) {
    const [first] = sources.get(value)!;
    again.set(value, bySource.get(first!)!);
  }
  return withBackwardPass(outputs, passes, kept, again);
}

const liesIn = (value: Value, sources: ReadonlySet<Value>): boolean =>
  [...sources].some((source) => stored(source) === stored(value));

/**
 * For every value that cheap operators make of values which the backward pass reads and which are not themselves made
 * so: those values.
 */
function sourcesOf(forward: readonly Node[], read: ReadonlySet<Value>): ReadonlyMap<Value, ReadonlySet<Value>> {
  const sources = new Map<Value, ReadonlySet<Value>>();
  const inForward = new Set(forward.flatMap(({ outputs }) => outputs));
  for (const node of forward) {
    if (!cheap.has(node.op) && !isView(node)) continue;
    const computed = node.inputs.filter((input) => inForward.has(input));
    if (computed.length === 0 || !computed.every((input) => sources.has(input) || read.has(input))) continue;
    const origins = new Set(computed.flatMap((input) => [...(sources.get(input) ?? [input])]));
    for (const output of node.outputs) sources.set(output, origins);
  }
  return sources;
}
