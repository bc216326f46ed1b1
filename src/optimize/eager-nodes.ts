import { type Node, nodeOf, nodesBefore, type Readers, type Value } from "../graph/index.ts";
import { byteSize, isView, stored } from "./storage.ts";

/** Largest number of nodes that are moved for one reader's sake. */
const maxNodes = 64;

/**
 * Moves a result to right before its only reader, if it takes at most half the memory of its sources. ONNX Runtime then
 * computes it before the reader's other inputs (`executionOrder`) and can free the sources. For example, GELU's
 * derivative is computed in the forward pass, and two values of its size need not be kept until the backward pass.
 *
 * @param file nodes in topological order
 * @returns the same array where nothing moves
 */
export function withEarlyNodes(file: readonly Node[], readers: Readers): readonly Node[] {
  /** Where nodes move: with the fewest others that do. */
  const moves = new Map<Node, { readonly reader: Node; readonly size: number }>();
  for (const reader of file) {
    const exclusive = earlyNodesOf(reader, readers);
    for (const node of exclusive ?? []) {
      const size = exclusive!.size;
      if (size < (moves.get(node)?.size ?? Infinity)) moves.set(node, { reader, size });
    }
  }
  if (moves.size === 0) return file;
  const groups = new Map<Node, Node[]>();
  for (const node of file) {
    const reader = moves.get(node)?.reader;
    if (reader) groups.set(reader, [...(groups.get(reader) ?? []), node]);
  }
  const withGroup = (node: Node): readonly Node[] => [...(groups.get(node) ?? []).flatMap(withGroup), node];
  return file.filter((node) => !moves.has(node)).flatMap(withGroup);
}

/** Nodes to run before the reader's other inputs: of several choices, the fewest nodes. */
function earlyNodesOf(reader: Node, readers: Readers): ReadonlySet<Node> | undefined {
  const before = [...nodesBefore(reader)];
  if (before.length < 2) return undefined;
  const found = before.flatMap((candidate) => {
    const exclusive = exclusiveNodes(candidate, readers);
    if (!exclusive) return [];
    const sources = sourcesOf(exclusive);
    // The cheaper check first.
    if (bytesOf(sources) < 2 * bytesOf(candidate.outputs)) return [];
    const others = sources
      .flatMap((value) => readersThroughViews(nodeOf(value)!, readers))
      .filter((node) => !exclusive.has(node));
    return comeBefore(others, reader, candidate) ? [exclusive] : [];
  });
  return found.sort((a, b) => a.size - b.size)[0];
}

/** The node, which has one reader, and all that is computed for it alone; undefined where that is much. */
function exclusiveNodes(last: Node, readers: Readers): ReadonlySet<Node> | undefined {
  if (readers.get(last)!.length > 1) return undefined;
  const exclusive = new Set([last]);
  for (const node of exclusive) {
    if (exclusive.size > maxNodes) return undefined;
    for (const before of nodesBefore(node))
      if (readers.get(before)!.every((reader) => exclusive.has(reader))) exclusive.add(before);
  }
  return exclusive;
}

/** The computed values that nodes start from. */
function sourcesOf(exclusive: ReadonlySet<Node>): readonly Value[] {
  const inputs = new Set([...exclusive].flatMap((node) => node.inputs.map(stored)));
  return [...inputs].filter((value) => nodeOf(value) && !exclusive.has(nodeOf(value)!));
}

const bytesOf = (values: readonly Value[]): number => values.reduce((sum, value) => sum + byteSize(value), 0);

/** Whether nodes have to run before a reader can, for one of its other inputs, not for this one. */
function comeBefore(nodes: readonly Node[], reader: Node, input: Node): boolean {
  const first = Math.min(...nodes.map(({ id }) => id));
  const earlier = new Set([...nodesBefore(reader)].filter((node) => node !== input));
  // A node created before all of them leads to none of them.
  for (const node of earlier) for (const before of nodesBefore(node)) if (before.id >= first) earlier.add(before);
  return nodes.every((node) => earlier.has(node));
}

function readersThroughViews(node: Node, readers: Readers): readonly Node[] {
  return (readers.get(node) ?? []).flatMap((reader) =>
    isView(reader) ? [reader, ...readersThroughViews(reader, readers)] : [reader],
  );
}
