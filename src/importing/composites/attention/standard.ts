import type { Graph, Value } from "../../../graph/index.ts";
import { mismatch, range } from "../../../graph/index.ts";
import { type Composite, number } from "../use.ts";
import { attend, before, joined, split, window } from "./weights.ts";

/**
 * ONNX's own attention, opsets 23 to 25; softmax in the precision of its operands.
 * Source: https://onnx.ai/onnx/operators/onnx__Attention.html
 */
export const attention: Composite = ({ g, x, a }) => {
  const [q, k, v, mask, pastKey, pastValue, lengths] = x;
  const inRows = q!.rank === 3;
  const [heads, keyHeads] = inRows
    ? [number(a, "q_num_heads", 0), number(a, "kv_num_heads", 0)]
    : [q!.shape[1]!, k!.shape[1]!];
  if (!heads || !keyHeads || heads % keyHeads !== 0)
    mismatch(`${heads} heads of queries do not go with ${keyHeads} of keys`);
  const apart = (value: Value, count: number): Value => (inRows ? split(g, value, count) : value);
  const query = apart(q!, heads);
  const key = behind(g, pastKey, apart(k!, keyHeads));
  const value = behind(g, pastValue, apart(v!, keyHeads));
  const places = [query.shape[2]!, key.shape[2]!] as const;
  const { scores, capped, biased, weights, mixed } = attend(
    g,
    { query, key, value },
    {
      scale: number(a, "scale", 1 / Math.sqrt(query.shape[3]!)),
      softcap: number(a, "softcap", 0),
      added: mask && mask.dtype !== "bool" ? wide(g, mask, places[1], Number.NEGATIVE_INFINITY) : undefined,
      seen: all(g, [
        mask?.dtype === "bool" ? wide(g, mask, places[1], 0) : undefined,
        visible(g, places, a, pastKey?.shape[2] ?? 0, lengths),
        lengths && before(g, lengths, places[1]),
      ]),
    },
  );
  const stages = [scores, capped, biased, weights];
  return [inRows ? joined(g, mixed) : mixed, key, value, stages[number(a, "qk_matmul_output_mode", 0)]!];
};

const behind = (g: Graph, past: Value | undefined, x: Value): Value => (past ? g.concat([past, x], 2) : x);

function all(g: Graph, conditions: readonly (Value | undefined)[]): Value | undefined {
  const given = conditions.filter((condition) => condition !== undefined);
  return given.length > 0 ? given.reduce(g.and) : undefined;
}

/** A mask over the first keys only says that the others are hidden. */
function wide(g: Graph, mask: Value, keys: number, hidden: number): Value {
  const missing = keys - mask.shape.at(-1)!;
  if (missing <= 0 || mask.shape.at(-1) === 1) return mask;
  const filler = g.expand(g.scalar(hidden, mask.dtype), mask.shape.with(-1, missing));
  return g.concat([mask, filler], mask.rank - 1);
}

/**
 * Keys that causality and the window let through, by positions of queries and keys; undefined for all. With an external cache,
 * the last query of an image of `lengths` stands at its last key.
 */
function visible(
  g: Graph,
  places: readonly [queries: number, keys: number],
  a: Parameters<Composite>[0]["a"],
  past: number,
  lengths: Value | undefined,
): Value | undefined {
  const bound = (name: string): number | undefined => {
    const size = number(a, name, -1);
    return size < 0 ? undefined : size;
  };
  const [left, ahead] = [bound("left_window_size"), bound("right_window_size")];
  const right = a.is_causal ? 0 : ahead;
  if (left === undefined && right === undefined) return undefined;
  if (!lengths) return window(g, places, { offset: past, left, right });
  const [queries, keys] = places;
  const offset = g.sub(g.reshape(g.cast(lengths, "int64"), [-1, 1, 1, 1]), queries);
  const query = g.add(g.reshape(g.indices(range(queries)), [1, 1, queries, 1]), offset);
  const key = g.indices(range(keys));
  return all(g, [
    right === undefined ? undefined : g.lessOrEqual(key, g.add(query, right)),
    left === undefined ? undefined : g.greaterOrEqual(key, g.sub(query, left)),
  ]);
}
