import { nodesBefore, type Readers } from "./readers.ts";
import { byteSize, isView, stored } from "./storage.ts";
import { type Node, nodeOf, type Value } from "./value.ts";

/** What takes more nodes than this is not computed for one reader's sake at another time. */
const mostNodes = 64;

/**
 * Moves what takes at most half the memory of the values it is computed from to right before its one reader. ONNX Runtime then
 * runs it before the reader's other inputs (`executionOrder`) and can free those values: GELU's derivative is computed in the
 * forward pass, and two values of its size need not be kept until the backward pass.
 *
 * @param file nodes in topological order
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
  const groups = new Map<Node, Node[]>();
  for (const node of file) {
    const reader = moves.get(node)?.reader;
    if (reader) groups.set(reader, [...(groups.get(reader) ?? []), node]);
  }
  const withGroup = (node: Node): readonly Node[] => [...(groups.get(node) ?? []).flatMap(withGroup), node];
  return file.filter((node) => !moves.has(node)).flatMap(withGroup);
}

/** What is to run before the reader's other inputs: of several that might, the fewest nodes. */
function earlyNodesOf(reader: Node, readers: Readers): ReadonlySet<Node> | undefined {
  const before = [...nodesBefore(reader)];
  if (before.length < 2) return undefined;
  const found = before.flatMap((candidate) => {
    const exclusive = exclusiveNodes(candidate, readers);
    const pays = exclusive && savesMemory(candidate, exclusive);
    return pays && othersComeBefore(candidate, exclusive, reader, readers) ? [exclusive] : [];
  });
  return found.sort((a, b) => a.size - b.size)[0];
}

/** The node, which has one reader, and all that is computed for it alone; undefined where that is much. */
function exclusiveNodes(last: Node, readers: Readers): ReadonlySet<Node> | undefined {
  if (readers.get(last)!.length > 1) return undefined;
  const exclusive = new Set([last]);
  for (const node of exclusive) {
    if (exclusive.size > mostNodes) return undefined;
    for (const before of nodesBefore(node))
      if (readers.get(before)!.every((reader) => exclusive.has(reader))) exclusive.add(before);
  }
  return exclusive;
}

/** The computed values that nodes start from. */
function sourcesOf(exclusive: ReadonlySet<Node>): ReadonlySet<Value> {
  const inputs = [...exclusive].flatMap((node) => node.inputs.map(stored));
  return new Set(inputs.filter((value) => nodeOf(value) && !exclusive.has(nodeOf(value)!)));
}

function savesMemory(last: Node, exclusive: ReadonlySet<Node>): boolean {
  const bytes = (values: Iterable<Value>): number => [...values].reduce((sum, value) => sum + byteSize(value), 0);
  return bytes(sourcesOf(exclusive)) >= 2 * bytes(last.outputs);
}

/** Whether whoever else reads what the nodes start from has to run before the reader can, whatever runs first. */
function othersComeBefore(last: Node, exclusive: ReadonlySet<Node>, reader: Node, readers: Readers): boolean {
  const others = [...sourcesOf(exclusive)]
    .flatMap((value) => readersThroughViews(nodeOf(value)!, readers))
    .filter((node) => !exclusive.has(node));
  const first = Math.min(...others.map(({ id }) => id));
  const earlier = new Set([...nodesBefore(reader)].filter((node) => node !== last));
  // What was made before all of them does not lead to any.
  for (const node of earlier) for (const before of nodesBefore(node)) if (before.id >= first) earlier.add(before);
  return others.every((node) => earlier.has(node));
}

function readersThroughViews(node: Node, readers: Readers): readonly Node[] {
  return (readers.get(node) ?? []).flatMap((reader) =>
    isView(reader) ? [reader, ...readersThroughViews(reader, readers)] : [reader],
  );
}
