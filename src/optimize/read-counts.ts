import type { Value } from "../graph/index.ts";
import { reachable } from "../graph/index.ts";

/** How often each value is read by the nodes that `values` depend on, or is one of them. */
export function countReaders(values: readonly Value[]): ReadonlyMap<Value, number> {
  const readers = new Map<Value, number>(values.map((value) => [value, 1]));
  for (const { inputs } of reachable(values).nodes)
    for (const input of inputs) readers.set(input, (readers.get(input) ?? 0) + 1);
  return readers;
}
