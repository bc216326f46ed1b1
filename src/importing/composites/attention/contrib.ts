import type { Graph, Value } from "../../../graph/index.ts";
import { mismatch } from "../../../graph/index.ts";
import type { Attributes } from "../../../onnx/index.ts";
import { type Composite, number, without } from "../use.ts";
import { attend, before, type Heads, joined, split, window } from "./weights.ts";

/** Queries, keys and values as rows, [N, S, H D] each. */
interface Rows {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

/**
 * Self-attention with its input projection: input [N, S, D], weights [D, 3 H D], bias [3 H D], keys and values of steps before
 * [2, N, H, P, D].
 */
export const attention: Composite = ({ g, x, a }) => {
  const [input, weights, bias, mask, past, added] = x;
  without(x, [6], "a buffer that past and present share");
  if (a.do_rotary || a.past_present_share_buffer) mismatch("do_rotary and past_present_share_buffer are not supported");
  const third = weights!.shape[1]! / 3;
  const sizes = (a.qkv_hidden_sizes as readonly number[] | undefined) ?? [third, third, third];
  const product = g.matMul(input!, weights!);
  const [query, key, value] = g.split(bias ? g.add(product, bias) : product, sizes, 2);
  const own = byHeads(g, { query: query!, key: key!, value: value! }, number(a, "num_heads", 1));
  if (!past) return [attended(g, own, a, { mask, added, past: 0 }), ...presentOf(g, own)];
  const [oldKey, oldValue] = g.split(past, [1, 1], 0).map((part) => g.squeeze(part, [0]));
  const heads = { ...own, key: g.concat([oldKey!, own.key], 2), value: g.concat([oldValue!, own.value], 2) };
  return [attended(g, heads, a, { mask, added, past: past.shape[3]! }), ...presentOf(g, heads)];
};

/** Keys and values as one, for the next step; there is none where they differ in width. */
function presentOf(g: Graph, { key, value }: Heads): readonly Value[] {
  return key.shape[3] === value.shape[3] ? [g.concat([g.unsqueeze(key, [0]), g.unsqueeze(value, [0])], 0)] : [];
}

/**
 * Attention behind its projections. Keys and values come as rows, by heads already, or packed with each other or with the
 * queries: [N, S, H, 3, D], [N, T, H, 2, D].
 */
export const multiHeadAttention: Composite = ({ g, x, a }) => {
  const [query, key, value, bias, mask, added, pastKey, pastValue] = x;
  without(x, [8, 9], "a buffer that past and present share");
  const count = number(a, "num_heads", 1);
  const own = unpacked(g, [query!, key, value], bias, count);
  const heads =
    pastKey && pastValue
      ? { ...own, key: g.concat([pastKey, own.key], 2), value: g.concat([pastValue, own.value], 2) }
      : own;
  const past = pastKey?.shape[2] ?? 0;
  const scored = scoring(g, heads, a, { mask, added, past });
  return [joined(g, scored.mixed), heads.key, heads.value, scored.scores];
};

function unpacked(
  g: Graph,
  [query, key, value]: readonly [Value, Value | undefined, Value | undefined],
  bias: Value | undefined,
  count: number,
): Heads {
  const parts = (packed: Value): readonly Value[] =>
    g
      .split(
        packed,
        Array.from({ length: packed.shape[3]! }, () => 1),
        3,
      )
      .map((part) => g.reshape(part, [...packed.shape.slice(0, 2), -1]));
  if (query.rank === 5) {
    const [q, k, v] = parts(query);
    return byHeads(g, biased(g, { query: q!, key: k!, value: v! }, bias), count);
  }
  if (!key) mismatch("keys are left out, and queries do not hold them");
  if (key.rank === 5) {
    const [k, v] = parts(key);
    return byHeads(g, biased(g, { query, key: k!, value: v! }, bias), count);
  }
  if (!value) mismatch("values are left out, and keys do not hold them");
  if (key.rank === 4) return { query: split(g, biased(g, { query, key, value }, bias).query, count), key, value };
  return byHeads(g, biased(g, { query, key, value }, bias), count);
}

/** Rows with the bias of the projections that they come from, [H D + H D + H E]; only of queries where keys are by heads. */
function biased(g: Graph, { query, key, value }: Rows, bias: Value | undefined): Rows {
  if (!bias) return { query, key, value };
  const width = query.shape[2]!;
  const [q, k, v] = g.split(bias, [width, width, bias.shape[0]! - 2 * width], 0);
  if (key.rank === 4) return { query: g.add(query, q!), key, value };
  return { query: g.add(query, q!), key: g.add(key, k!), value: g.add(value, v!) };
}

function byHeads(g: Graph, { query, key, value }: Rows, heads: number): Heads {
  return { query: split(g, query, heads), key: split(g, key, heads), value: split(g, value, heads) };
}

interface Context {
  readonly mask: Value | undefined;
  readonly added: Value | undefined;
  /** Keys of earlier steps, concatenated in front. */
  readonly past: number;
}

function attended(g: Graph, heads: Heads, a: Attributes, context: Context): Value {
  return joined(g, scoring(g, heads, a, context).mixed);
}

function scoring(g: Graph, heads: Heads, a: Attributes, { mask, added, past }: Context) {
  const [queries, keys] = [heads.query.shape[2]!, heads.key.shape[2]!];
  // ONNX Runtime's kernels differ here: on CPUs, the last query sees all keys.
  if (a.unidirectional && keys > past + queries)
    mismatch(`unidirectional, with ${past + queries} queries and ${keys} keys, is not defined`);
  const padding = mask && filtered(g, unmasked(g, mask, heads.query.shape[0]!, keys), a);
  return attend(g, heads, {
    scale: number(a, "scale", 0) || 1 / Math.sqrt(heads.query.shape[3]!),
    added: added && padding ? g.add(added, padding) : (added ?? padding),
    seen: a.unidirectional ? window(g, [queries, keys], { offset: past, right: 0 }) : undefined,
  });
}

/** Number added to the scores of masked keys. It is finite, so that a query whose keys are all masked sees all of them. */
function filtered(g: Graph, seen: Value, a: Attributes): Value {
  return g.where(seen, 0, number(a, "mask_filter_value", -10_000));
}

/**
 * Keys that a mask lets be seen, broadcast to [N, H, S, T]. A mask says so key by key ([N, T] or [N, S, T], 1 to see), or where
 * keys end ([N]), or where they end and where they begin ([2 N]).
 */
function unmasked(g: Graph, mask: Value, images: number, keys: number): Value {
  const [first] = mask.shape as [number];
  switch (mask.rank) {
    case 1: {
      if (first === images) return before(g, mask, keys);
      if (first !== 2 * images) mismatch(`a mask of shape [${mask.shape}] is not supported`);
      const [ends, starts] = g.split(mask, [images, images], 0);
      return g.and(before(g, ends!, keys), g.not(before(g, starts!, keys)));
    }
    case 2:
      return g.greater(g.unsqueeze(mask, [1, 2]), 0);
    case 3:
      return g.greater(g.unsqueeze(mask, [1]), 0);
    default:
      return mismatch(`a mask of rank ${mask.rank} is not supported`);
  }
}
