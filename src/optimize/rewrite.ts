import type { Attributes, Node, Value } from "../graph/index.ts";
import { ints, reachable } from "../graph/index.ts";

/** Replacement of a node's outputs, given its inputs as they now are; undefined leaves the node as it is. */
export type Rewrite = (node: Node, inputs: readonly Value[]) => readonly Value[] | undefined;

/** Rebuilds the values in the same graph, with each node replaced by the rule. */
export function rewritten(values: readonly Value[], rule: Rewrite): readonly Value[] {
  const made = new Map<Value, Value>();
  const now = (value: Value): Value => made.get(value) ?? value;
  for (const node of reachable(values).nodes) {
    const inputs = node.inputs.map(now);
    const changed = inputs.some((input, i) => input !== node.inputs[i]);
    const outputs = rule(node, inputs) ?? (changed ? applied(node.op, inputs, node.attributes) : node.outputs);
    for (const [i, output] of outputs.entries()) made.set(node.outputs[i]!, output);
  }
  return values.map(now);
}

/** Same as `Graph.apply`, except that a reshape of a reshape becomes one (see `Graph.reshape`). */
export function applied(op: string, inputs: readonly Value[], attributes: Attributes): readonly Value[] {
  const { graph } = inputs[0]!;
  const plain = op === "Reshape" && !attributes.allowzero;
  return plain ? [graph.reshape(inputs[0]!, ints(attributes, "shape"))] : graph.apply(op, inputs, attributes);
}
