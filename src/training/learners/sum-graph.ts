import { Graph, type Value } from "../../graph/index.ts";

/** Name of the second operand's input. */
export const otherName = (name: string): string => `other ${name}`;
/** Name of the output. */
export const sumName = (name: string): string => `sum ${name}`;

/** Sums of pairs of float32 tensors: inputs `<name>` and `other <name>`, outputs `sum <name>`. */
export function sumGraph(shapes: ReadonlyMap<string, readonly number[]>): Readonly<Record<string, Value>> {
  const g = new Graph();
  const sums = [...shapes].map(([name, shape]) => {
    const [a, b] = [name, otherName(name)].map((input) => g.input(input, "float32", shape));
    return [sumName(name), g.add(a!, b!)] as const;
  });
  return Object.fromEntries(sums);
}
