import type { Graph } from "./graph.ts";
import { reachable } from "./reachable.ts";
import type { Value } from "./value.ts";

/**
 * Inlines the outputs of one graph into another, so that both become one program. Nodes are copied and constants keep
 * their memory. Inputs are those of the same names in `graph`, declared if missing.
 *
 * @param given values of `graph` that replace inputs, by the inputs' names
 */
export function inlined<Name extends string>(
  graph: Graph,
  outputs: Readonly<Record<Name, Value>>,
  given: Readonly<Record<string, Value>>,
): Readonly<Record<Name, Value>> {
  const entries = Object.entries<Value>(outputs);
  const { nodes, sources } = reachable(entries.map(([, value]) => value));
  const inputs = new Map(graph.inputs.map((input) => [input.name, input]));
  const made = new Map<Value, Value>();
  for (const source of sources) {
    const { origin, name, dtype, shape } = source;
    if (origin.kind === "constant") made.set(source, graph.constant(origin.tensor));
    else made.set(source, given[name] ?? inputs.get(name) ?? graph.input(name, dtype, shape));
  }
  for (const { op, inputs: operands, attributes, outputs: old } of nodes) {
    const applied = graph.apply(
      op,
      operands.map((value) => made.get(value)!),
      attributes,
    );
    for (const [i, value] of applied.entries()) made.set(old[i]!, value);
  }
  return Object.fromEntries(entries.map(([name, value]) => [name, made.get(value)!])) as Record<Name, Value>;
}
