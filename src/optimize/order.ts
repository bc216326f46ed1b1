import type { Node } from "../graph/index.ts";
import { nodesBefore, type Readers, readersOf } from "../graph/index.ts";
import { peakOf } from "./buffers.ts";
import { withEarlyNodes } from "./eager-nodes.ts";

/**
 * Order in which a model lists its nodes, so that ONNX Runtime runs each as late as possible, or some early if that keeps
 * less (`withEarlyNodes`). Results that no node reads come last. Among them, those that wait longest for shared values
 * come first.
 *
 * ONNX Runtime goes through a graph depth first from such results, the last in the file first (see `executionOrder`). In
 * plain order, the gradient of the first layer would come first, and every other layer's activations and cotangents
 * would wait until the end.
 *
 * @param nodes in topological order
 */
export function fileOrder(nodes: readonly Node[]): readonly Node[] {
  const readers = readersOf(nodes);
  const ends = nodes
    .filter((node) => !readers.has(node))
    .map((node) => ({ node, waitsFor: latestShared(node, readers) }))
    .reverse()
    .sort((a, b) => b.waitsFor - a.waitsFor);
  const late = [...nodes.filter((node) => readers.has(node)), ...ends.map(({ node }) => node)];
  const early = withEarlyNodes(late, readers);
  if (early === late) return late;
  const results = new Set(ends.flatMap(({ node }) => node.outputs));
  const peak = (file: readonly Node[]): number => peakOf(executionOrder(file), results, false);
  return peak(early) < peak(late) ? early : late;
}

/** When the last was made of what a result is computed from and others read, too. A pass may have made the rest at any time. */
function latestShared(end: Node, readers: Readers): number {
  let latest = 0;
  const own = [end];
  for (let node = own.pop(); node; node = own.pop()) {
    for (const before of nodesBefore(node)) {
      if (readers.get(before)!.length === 1) own.push(before);
      else latest = Math.max(latest, before.id);
    }
  }
  return latest;
}

/**
 * The order in which ONNX Runtime runs the nodes of a file: depth first from the nodes whose outputs no other reads, the
 * last in the file first, and at every node its inputs', the last in the file first. Fused nodes aside.
 */
export function executionOrder(file: readonly Node[]): readonly Node[] {
  const place = new Map(file.map((node, i) => [node, i]));
  const readers = readersOf(file);
  const order = new Set<Node>();
  const stack = file.filter((node) => !readers.has(node)).map((node) => ({ node, ready: false }));
  const entered = new Set<Node>();
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { node, ready } = entry;
    if (ready) order.add(node);
    if (entered.has(node)) continue;
    entered.add(node);
    stack.push({ node, ready: true });
    const before = [...nodesBefore(node)].sort((a, b) => place.get(a)! - place.get(b)!);
    for (const input of before) stack.push({ node: input, ready: false });
  }
  return [...order];
}
