import { nodesBefore, type Readers } from "./readers.ts";
import { byteSize, stored } from "./storage.ts";
import { type Node, nodeOf, type Value } from "./value.ts";

/**
 * The file's nodes, those right before their reader that make little of much which would wait for it: ONNX Runtime then runs
 * them before what else the reader reads (see `executionOrder`), and what they are made of is done with. So it is with GELU's
 * derivative, made of two values of its size, which otherwise both wait for the backward pass.
 *
 * @param file nodes in topological order
 */
export function withEarlyNodes(file: readonly Node[], readers: Readers): readonly Node[] {
  const early = new Map<Node, readonly Node[]>();
  for (const reader of file) {
    const before = nodesBefore(reader);
    if (before.size < 2) continue;
    for (const node of before) {
      if (readers.get(node)!.length > 1) continue;
      const own = ownNodes(node, readers);
      if (savesMemory(node, own) && othersComeBefore(node, own, reader, readers)) early.set(reader, [...own]);
    }
  }
  const moved = new Set([...early.values()].flat());
  const place = new Map(file.map((node, i) => [node, i]));
  const inOrder = (nodes: readonly Node[]): readonly Node[] => nodes.toSorted((a, b) => place.get(a)! - place.get(b)!);
  return file.flatMap((node) => (moved.has(node) ? [] : [...inOrder(early.get(node) ?? []), node]));
}

/** The node, and all that is computed for it alone. */
function ownNodes(last: Node, readers: Readers): ReadonlySet<Node> {
  const own = new Set([last]);
  for (const node of own) {
    for (const before of nodesBefore(node))
      if (readers.get(before)!.every((reader) => own.has(reader))) own.add(before);
  }
  return own;
}

/** The computed values that nodes start from. */
function sourcesOf(own: ReadonlySet<Node>): ReadonlySet<Value> {
  const inputs = [...own].flatMap((node) => node.inputs.map(stored));
  return new Set(inputs.filter((value) => nodeOf(value) && !own.has(nodeOf(value)!)));
}

/** Whether what the nodes start from takes at least twice the memory of what the last of them makes of it. */
function savesMemory(last: Node, own: ReadonlySet<Node>): boolean {
  const bytes = (values: Iterable<Value>): number => [...values].reduce((sum, value) => sum + byteSize(value), 0);
  return bytes(sourcesOf(own)) >= 2 * bytes(last.outputs);
}

/** Whether whoever else reads what the nodes start from has to run before the reader can, whatever runs first. */
function othersComeBefore(last: Node, own: ReadonlySet<Node>, reader: Node, readers: Readers): boolean {
  const earlier = new Set([...nodesBefore(reader)].filter((node) => node !== last));
  for (const node of earlier) for (const before of nodesBefore(node)) earlier.add(before);
  const others = [...sourcesOf(own)].flatMap((value) => readers.get(nodeOf(value)!)!);
  return others.every((node) => own.has(node) || earlier.has(node));
}
