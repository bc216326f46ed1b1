import { GraphError } from "../graph/index.ts";
import type { OnnxGraph, OnnxNode } from "../onnx/index.ts";
import { describe } from "./describe.ts";

/**
 * The nodes that these values depend on, each behind those that it reads from: the file's order, where that is one. (Some
 * converters append casts at the end, and ONNX Runtime takes that.)
 *
 * @throws GraphError when nodes read each other in a circle
 */
export function neededNodes({ nodes }: OnnxGraph, wanted: readonly string[]): readonly OnnxNode[] {
  const producers = producersOf(nodes);
  const needed = closure(wanted, producers);
  const placed = new Set<OnnxNode>();
  for (const node of nodes) if (needed.has(node)) placeBehindItsSources(node, producers, placed);
  return [...placed];
}

/** The nodes by the names of the values that they give; an output that is left out has none. */
export function producersOf(nodes: readonly OnnxNode[]): ReadonlyMap<string, OnnxNode> {
  return new Map(nodes.flatMap((node) => node.outputs.flatMap((name) => (name === "" ? [] : [[name, node] as const]))));
}

/** Every name that one of the nodes reads, or a node of their subgraphs: values within those too. */
export function namesRead(nodes: readonly OnnxNode[]): ReadonlySet<string> {
  const within = (node: OnnxNode): readonly string[] => [
    ...node.inputs,
    ...subgraphs(node).flatMap((graph) => [...graph.nodes.flatMap(within), ...graph.outputs.map(({ name }) => name)]),
  ];
  return new Set(nodes.flatMap(within));
}

type Producers = ReadonlyMap<string, OnnxNode>;

function closure(wanted: readonly string[], producers: Producers): ReadonlySet<OnnxNode> {
  const needed = new Set<OnnxNode>();
  const open = [...wanted];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = producers.get(name);
    if (!node || needed.has(node)) continue;
    needed.add(node);
    open.push(...read(node));
  }
  return needed;
}

/** Depth first, with a list for the stack: graphs are deeper than calls may be. */
function placeBehindItsSources(last: OnnxNode, producers: Producers, placed: Set<OnnxNode>): void {
  const path = new Set<OnnxNode>();
  const stack = [last];
  for (let node = stack.at(-1); node; node = stack.at(-1)) {
    const sources = placed.has(node) ? [] : missing(node, producers, placed);
    if (sources.length === 0) {
      placed.add(node);
      path.delete(node);
      stack.pop();
      continue;
    }
    path.add(node);
    const circular = sources.find((source) => path.has(source));
    if (circular)
      throw new GraphError(
        `The graph is cyclic: ${describe(node)} reads from ${describe(circular)}, which depends on it.`,
      );
    stack.push(...sources);
  }
}

function missing(node: OnnxNode, producers: Producers, placed: ReadonlySet<OnnxNode>): readonly OnnxNode[] {
  return read(node).flatMap((name) => {
    const source = producers.get(name);
    return source && !placed.has(source) ? [source] : [];
  });
}

const read = (node: OnnxNode): readonly string[] => [...node.inputs, ...captured(node)];

/** Outer values that a node's subgraphs read. */
const captured = (node: OnnxNode): readonly string[] => subgraphs(node).flatMap(readFromOutside);

function subgraphs({ attributes }: OnnxNode): readonly OnnxGraph[] {
  return Object.values(attributes).flatMap((attribute) => (attribute.kind === "graph" ? [attribute.value] : []));
}

/** Names that a graph reads and does not give itself: its own hide those of the graphs around it. */
function readFromOutside({ nodes, inputs, outputs, initializers }: OnnxGraph): readonly string[] {
  const own = new Set([
    ...inputs.map(({ name }) => name),
    ...initializers.keys(),
    ...nodes.flatMap((node) => node.outputs),
  ]);
  return [...nodes.flatMap(read), ...outputs.map(({ name }) => name)].filter((name) => !own.has(name));
}
