import type { Graph, Value } from "../../graph/index.ts";
import { mismatch, range } from "../../graph/index.ts";
import type { Composites } from "./use.ts";

/** Maximum size of a matrix whose determinant is expanded. The number of minors doubles with every row. */
const largest = 8;

export const linearAlgebra: Composites = {
  Det: ({ g, x: [x] }) => [determinant(g, x!)],
};

/**
 * By minors of the first rows, for every set of columns: a polynomial of the elements, whose derivative is right where matrices
 * are singular, too.
 */
function determinant(g: Graph, x: Value): Value {
  const size = x.shape.at(-1)!;
  if (x.rank < 2 || x.shape.at(-2) !== size) mismatch(`[${x.shape}] holds no square matrices`);
  if (size > largest) mismatch(`of matrices of more than ${largest} rows is not supported`);
  const element = (row: number, column: number): Value => {
    const at = { starts: [row, column], ends: [row + 1, column + 1], axes: [x.rank - 2, x.rank - 1] };
    return g.squeeze(g.slice(x, at), [x.rank - 2, x.rank - 1]);
  };
  let minors = new Map<number, Value>();
  for (const row of range(size)) {
    const next = new Map<number, Value>();
    for (const columns of range(2 ** size)) {
      const members = range(size).filter((column) => columns & (1 << column));
      if (members.length !== row + 1) continue;
      const terms = members.map((column, i) => {
        const entry = element(row, column);
        const minor = minors.get(columns ^ (1 << column));
        const term = minor ? g.mul(entry, minor) : entry;
        return (row + i) % 2 ? g.neg(term) : term;
      });
      next.set(columns, terms.reduce(g.add));
    }
    minors = next;
  }
  return minors.get(2 ** size - 1) ?? mismatch("needs a row");
}
