import { mismatch } from "../../graph/errors.ts";
import type { Graph, Value } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/model.ts";
import { type Composite, number, without } from "./use.ts";

/** Queries, keys and values, [batch, tokens, heads * size] each. */
interface Projected {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

/** Self-attention with its input projection: input [batch, tokens, D], weights [D, 3 H], bias [3 H]. */
export const attention: Composite = ({ g, x, a }) => {
  const [input, weights, bias, , , added] = x;
  without(x, [3, 4, 6], "attention with a mask index or with past keys");
  if (a.unidirectional || a.do_rotary) mismatch("unidirectional and rotary attention are not supported");
  const third = weights!.shape[1]! / 3;
  const sizes = (a.qkv_hidden_sizes as readonly number[] | undefined) ?? [third, third, third];
  const product = g.matMul(input!, weights!);
  const [query, key, value] = g.split(bias ? g.add(product, bias) : product, sizes, 2);
  return [attend(g, { query: query!, key: key!, value: value! }, a, added)];
};

/** Attention behind its projections; keys and values as rows or split into heads already. */
export const multiHeadAttention: Composite = ({ g, x, a }) => {
  const [query, key, value, bias, , added] = x;
  without(x, [4, 6, 7], "attention with a padding mask or with past keys");
  if (!key || !value || key.rank === 5) mismatch("queries, keys and values packed together are not supported");
  const parts: Projected = { query: query!, key: rows(g, key), value: rows(g, value) };
  if (!bias) return [attend(g, parts, a, added)];
  const [h, v] = [parts.query.shape[2]!, parts.value.shape[2]!];
  const [q, k, w] = g.split(bias, [h, h, v], 0);
  const biased = { query: g.add(parts.query, q!), key: g.add(parts.key, k!), value: g.add(parts.value, w!) };
  return [attend(g, biased, a, added)];
};

/** [batch, heads, tokens, size], as keys and values may come, as rows. */
function rows(g: Graph, x: Value): Value {
  if (x.rank === 3) return x;
  const [batch, heads, tokens, size] = x.shape as [number, number, number, number];
  return g.reshape(g.transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * size]);
}

/** softmax(Q K^T scale + added) V by heads. */
function attend(g: Graph, { query, key, value }: Projected, a: Attributes, added: Value | undefined): Value {
  const heads = number(a, "num_heads", 1);
  const split = (x: Value): Value => {
    const [batch, tokens, width] = x.shape as [number, number, number];
    return g.transpose(g.reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
  };
  const [batch, tokens, width] = query.shape as [number, number, number];
  const scale = number(a, "scale", 0) || 1 / Math.sqrt(width / heads);
  const scores = g.mul(g.matMul(split(query), g.swap(split(key))), scale);
  const weights = g.softmax(added ? g.add(scores, added) : scores);
  const mixed = g.transpose(g.matMul(weights, split(value)), [0, 2, 1, 3]);
  return g.reshape(mixed, [batch, tokens, value.shape[2]!]);
}
