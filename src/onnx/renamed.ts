import type { OnnxAttribute, OnnxGraph, OnnxNode } from "./model.ts";

/** A graph with other names for its values and nodes, those of its subgraphs among them. */
export function renamed(graph: OnnxGraph, rename: (name: string) => string): OnnxGraph {
  const list = (names: readonly string[]): readonly string[] => names.map((name) => (name === "" ? "" : rename(name)));
  const named = <T extends { readonly name: string }>(value: T): T => ({ ...value, name: rename(value.name) });
  const attribute = (value: OnnxAttribute): OnnxAttribute =>
    value.kind === "graph" ? { kind: "graph", value: renamed(value.value, rename) } : value;
  const node = (old: OnnxNode): OnnxNode => ({
    ...named(old),
    inputs: list(old.inputs),
    outputs: list(old.outputs),
    attributes: Object.fromEntries(Object.entries(old.attributes).map(([name, value]) => [name, attribute(value)])),
  });
  return {
    name: graph.name,
    nodes: graph.nodes.map(node),
    inputs: graph.inputs.map(named),
    outputs: graph.outputs.map(named),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [rename(name), tensor])),
  };
}
