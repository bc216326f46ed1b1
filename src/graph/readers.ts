import { type Node, nodeOf } from "./value.ts";

/** The nodes that read what each computes; those that none reads are left out. */
export type Readers = ReadonlyMap<Node, readonly Node[]>;

export const readersOf = (nodes: readonly Node[]): Readers => readersBy(nodes, nodesBefore);

/** The nodes by each of what they read. */
export function readersBy<Read>(
  nodes: readonly Node[],
  read: (node: Node) => Iterable<Read>,
): ReadonlyMap<Read, readonly Node[]> {
  const readers = new Map<Read, Node[]>();
  for (const node of nodes) {
    for (const each of read(node)) {
      const known = readers.get(each);
      if (known) known.push(node);
      else readers.set(each, [node]);
    }
  }
  return readers;
}

/** The nodes whose outputs a node reads. */
export function nodesBefore({ inputs }: Node): ReadonlySet<Node> {
  return new Set(inputs.flatMap((input) => nodeOf(input) ?? []));
}
