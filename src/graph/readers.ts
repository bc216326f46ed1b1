import { type Node, nodeOf } from "./value.ts";

/** The nodes that read what each computes; those that none reads are left out. */
export type Readers = ReadonlyMap<Node, readonly Node[]>;

export function readersOf(nodes: readonly Node[]): Readers {
  const readers = new Map<Node, Node[]>();
  for (const node of nodes) {
    for (const before of nodesBefore(node)) {
      const known = readers.get(before);
      if (known) known.push(node);
      else readers.set(before, [node]);
    }
  }
  return readers;
}

/** The nodes whose outputs a node reads. */
export function nodesBefore({ inputs }: Node): ReadonlySet<Node> {
  return new Set(inputs.flatMap((input) => nodeOf(input) ?? []));
}
