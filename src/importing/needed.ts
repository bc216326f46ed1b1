import type { OnnxGraph, OnnxNode } from "../onnx/index.ts";

/** The nodes that these values depend on, in the file's order. */
export function neededNodes({ nodes }: OnnxGraph, wanted: readonly string[]): readonly OnnxNode[] {
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const needed = new Set<OnnxNode>();
  const open = [...wanted];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = producers.get(name);
    if (!node || needed.has(node)) continue;
    needed.add(node);
    open.push(...node.inputs, ...captured(node));
  }
  return nodes.filter((node) => needed.has(node));
}

/** What the branches of an `If` read; their own values are among the names, which no node outside bears. */
function captured(node: OnnxNode): readonly string[] {
  return Object.values(node.attributes).flatMap((attribute) =>
    attribute.kind === "graph"
      ? [
          ...attribute.value.nodes.flatMap((inner) => [...inner.inputs, ...captured(inner)]),
          ...attribute.value.outputs.map(({ name }) => name),
        ]
      : [],
  );
}
