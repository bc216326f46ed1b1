import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode } from "../../onnx/model.ts";

/**
 * Two models as one: `link`, an input of the second, is what the first makes under the name `output`. The inputs are
 * those of both, by their names; the outputs are the second's. The first's nodes stay as they are but for their names,
 * and so do its opsets, in which the second's nodes must mean the same.
 */
export function chained(first: OnnxModel, output: string, second: OnnxModel, link: string): OnnxModel {
  // Old files list their initializers among the inputs.
  const inputs = first.graph.inputs.filter(({ name }) => !first.graph.initializers.has(name));
  const kept = new Map([...inputs.map(({ name }) => [name, name] as const), [output, link]]);
  const head = renamed(first.graph, (name) => kept.get(name) ?? `first/${name}`);
  const { graph } = second;
  return {
    ...second,
    irVersion: Math.max(first.irVersion, second.irVersion),
    opsets: first.opsets,
    graph: {
      ...graph,
      inputs: [...inputs, ...graph.inputs.filter(({ name }) => name !== link)],
      nodes: [...head.nodes, ...graph.nodes],
      initializers: new Map([...head.initializers, ...graph.initializers]),
    },
  };
}

/** A graph with other names for its values and nodes, those of its subgraphs among them. */
function renamed(graph: OnnxGraph, rename: (name: string) => string): OnnxGraph {
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
