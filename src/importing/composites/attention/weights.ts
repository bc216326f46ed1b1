import type { Graph, Value } from "../../../graph/index.ts";
import { product, range } from "../../../graph/index.ts";
import type { Tensor } from "../../../tensor/index.ts";
import { constantShape } from "../../limits.ts";

/** Queries [N, H, S, D], keys [N, H, T, D] and values [N, H, T, E]; keys and values may have fewer heads. */
export interface Heads {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

/** Changes to the scores before softmax turns them into weights. */
export interface Scoring {
  readonly scale: number;
  /** Scores are kept within plus and minus this, smoothly. */
  readonly softcap?: number;
  /** Additive mask, broadcast to [N, H, S, T]. Minus infinity hides a key. */
  readonly added?: Value | undefined;
  /** Truth values, broadcast to [N, H, S, T]: keys that are false are hidden. */
  readonly seen?: Value | undefined;
}

/** The result [N, H, S, E] and its intermediate values, [N, H, S, T] each. */
export interface Attended {
  readonly mixed: Value;
  readonly scores: Value;
  readonly capped: Value;
  /** Minus infinity, or float32's lowest number, where a key is hidden. */
  readonly biased: Value;
  readonly weights: Value;
}

/** The lowest float32. Softmax maps it to 0 beside any other score, and it avoids infinity minus infinity. */
export const lowest = -3.4028234663852886e38;

/**
 * softmax(cap(Q K^T scale) + added) V by heads. A query that sees no key at all gets zeros, and passes back zeros.
 */
export function attend(g: Graph, heads: Heads, { scale, softcap, added, seen }: Scoring): Attended {
  const { query } = heads;
  const count = query.shape[1]!;
  const [key, value] = [repeated(g, heads.key, count), repeated(g, heads.value, count)];
  const scores = g.mul(g.matMul(query, g.swap(key)), scale);
  const capped = softcap ? g.mul(g.tanh(g.div(scores, softcap)), softcap) : scores;
  const hidden = hiddenBy(g, added, seen);
  const biased = added ? g.add(capped, added) : capped;
  const lowered = hidden ? g.where(hidden, lowest, biased) : biased;
  const weights = hidden ? g.where(hidden, 0, g.softmax(lowered)) : g.softmax(lowered);
  return { mixed: g.matMul(weights, value), scores, capped, biased: lowered, weights };
}

/** Repeats each head of keys and values for a group of consecutive query heads. */
function repeated(g: Graph, x: Value, heads: number): Value {
  const [n, own, ...rest] = x.shape as [number, number, ...number[]];
  if (own === heads) return x;
  const apart = g.expand(g.unsqueeze(x, [2]), [n, own, heads / own, ...rest]);
  return g.reshape(apart, [n, heads, ...rest]);
}

/** Where keys are hidden; undefined where none can be. */
function hiddenBy(g: Graph, added: Value | undefined, seen: Value | undefined): Value | undefined {
  const infinite = added && mayBeInfinite(added) ? g.equal(added, Number.NEGATIVE_INFINITY) : undefined;
  const unseen = seen && g.not(seen);
  if (infinite && unseen) return g.apply("Or", [infinite, unseen])[0]!;
  return infinite ?? unseen;
}

/** Whether a mask may hold minus infinities. Known masks are inspected. */
function mayBeInfinite({ origin }: Value): boolean {
  if (origin.kind !== "constant") return true;
  return (origin.tensor.data as Float32Array).includes(Number.NEGATIVE_INFINITY);
}

/**
 * Which keys a query sees by their places, [S, T]: those from `left` before it to `right` behind it, undefined for all on that
 * side. The first query stands at key `offset`.
 */
export function window(
  g: Graph,
  [queries, keys]: readonly [queries: number, keys: number],
  { offset = 0, left, right }: { offset?: number; left?: number | undefined; right?: number | undefined },
): Value {
  const seen = range(product(constantShape(g, [queries, keys]))).map((at) => {
    const distance = (at % keys) - Math.floor(at / keys) - offset;
    return Number(!(left !== undefined && distance < -left) && !(right !== undefined && distance > right));
  });
  const tensor: Tensor = { dtype: "bool", shape: [queries, keys], data: Uint8Array.from(seen) };
  return g.constant(tensor);
}

/** Rows [N, S, H D] by heads, [N, H, S, D]. */
export function split(g: Graph, x: Value, heads: number): Value {
  const [n, rows, width] = x.shape as [number, number, number];
  return g.transpose(g.reshape(x, [n, rows, heads, width / heads]), [0, 2, 1, 3]);
}

/** Heads [N, H, S, D] as rows, [N, S, H D]. */
export function joined(g: Graph, x: Value): Value {
  const [n, heads, rows, size] = x.shape as [number, number, number, number];
  return g.reshape(g.transpose(x, [0, 2, 1, 3]), [n, rows, heads * size]);
}

/** Truth values that are true in the first of `keys` places, as many as `counts` [N] says: [N, 1, 1, T]. */
export function before(g: Graph, counts: Value, keys: number): Value {
  const limits = g.reshape(g.cast(counts, "int64"), [-1, 1, 1, 1]);
  return g.apply("Less", [g.indices(range(keys)), limits])[0]!;
}
