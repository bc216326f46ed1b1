import type { Node } from "./value.ts";

/**
 * The order in which a model lists its nodes, so that ONNX Runtime runs each as late as it can: results that nobody in the
 * graph reads come last, those at the end of the longest chains first.
 *
 * ONNX Runtime goes through a graph depth first from such results, the last in the file first (see `executionOrder`). In
 * plain order the gradient of the first layer would so come first, and every other layer's activations and cotangents
 * wait for their turn until the end.
 *
 * @param nodes in topological order
 */
export function fileOrder(nodes: readonly Node[]): readonly Node[] {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const isLeaf = ({ outputs }: Node): boolean => !outputs.some((output) => read.has(output));
  const depth = depths(nodes);
  const leaves = nodes.filter(isLeaf).reverse().sort((a, b) => depth.get(b)! - depth.get(a)!);
  return [...nodes.filter((node) => !isLeaf(node)), ...leaves];
}

/** How many nodes the longest chain to each has. */
function depths(nodes: readonly Node[]): ReadonlyMap<Node, number> {
  const depth = new Map<Node, number>();
  for (const node of nodes) {
    const before = node.inputs.map(({ origin }) => (origin.kind === "node" ? depth.get(origin.node)! : 0));
    depth.set(node, 1 + Math.max(0, ...before));
  }
  return depth;
}

/**
 * The order in which ONNX Runtime runs the nodes of a file: depth first from the nodes whose outputs no other reads, the
 * last in the file first, and at every node its inputs', the last in the file first. Fused nodes aside.
 */
export function executionOrder(file: readonly Node[]): readonly Node[] {
  const place = new Map(file.map((node, i) => [node, i]));
  const read = new Set(file.flatMap(({ inputs }) => inputs));
  const order = new Set<Node>();
  const stack = file
    .filter(({ outputs }) => !outputs.some((output) => read.has(output)))
    .map((node) => ({ node, ready: false }));
  const entered = new Set<Node>();
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { node, ready } = entry;
    if (ready) order.add(node);
    if (entered.has(node)) continue;
    entered.add(node);
    stack.push({ node, ready: true });
    const before = node.inputs.flatMap(({ origin }) => (origin.kind === "node" ? [origin.node] : []));
    before.sort((a, b) => place.get(a)! - place.get(b)!);
    for (const input of before) stack.push({ node: input, ready: false });
  }
  return [...order];
}
