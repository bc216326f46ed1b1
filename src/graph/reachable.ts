import type { Node, Value } from "./value.ts";

/** Nodes that the values depend on, in topological order, and the inputs and constants they start from. */
export function reachable(values: readonly Value[]): {
  readonly nodes: readonly Node[];
  readonly sources: ReadonlySet<Value>;
} {
  const nodes = new Set<Node>();
  const sources = new Set<Value>();
  const stack = [...values];
  for (let value = stack.pop(); value; value = stack.pop()) {
    const { origin } = value;
    if (origin.kind !== "node") sources.add(value);
    else if (!nodes.has(origin.node)) {
      nodes.add(origin.node);
      stack.push(...origin.node.inputs);
    }
  }
  return { nodes: [...nodes].sort((a, b) => a.id - b.id), sources };
}
