import { int, ints, nodeOf, sameShape, type Value } from "../graph/index.ts";
import { elementCount } from "../tensor/index.ts";
import { countReaders } from "./read-counts.ts";
import { rewritten } from "./rewrite.ts";
import { runsOfRows } from "./row-range.ts";
import { isView, stored, swapsMatrix } from "./storage.ts";

/**
 * Attention of few queries without keys and values: with keys X W^T + b of tokens X, q (X W^T + b)^T is (q W) X^T + q b^T, and with
 * values likewise, p (X W^T + b) is (p X) W^T + b, since rows of p add up to 1. Products by the weights then have as many
 * rows as there are queries, not tokens. In a vision transformer whose class token is the embedding, those of the last
 * block go from all tokens to one.
 *
 * @returns values equal to the given ones up to rounding, in the same graph
 */
export function withFewQueries(values: readonly Value[]): readonly Value[] {
  const readers = countReaders(values);
  return rewritten(values, (node, [queries, right]) => {
    if (node.op !== "MatMul" || !sameStack(queries!, right!) || !onlyRead(node.inputs[1]!, readers)) return undefined;
    const turned = nodeOf(right!);
    const scores = turned !== undefined && swapsMatrix(turned);
    if (!scores && !isDistribution(queries!)) return undefined;
    const heads = headsOf(scores ? turned.inputs[0]! : right!);
    if (!heads || !areFew(queries!, heads)) return undefined;
    const fewer = (scores ? scoresOf : mixtureOf)(queries!, heads);
    return [fewer.graph.reshape(fewer, node.outputs[0]!.shape)];
  });
}

/** Keys or values of all heads: what linear layers make of each image's tokens, a layer a head. */
interface Heads {
  /** [images, tokens, width] */
  readonly tokens: Value;
  /** [heads, size, width] */
  readonly weight: Value;
  /** [heads, 1, size] */
  readonly bias: Value | undefined;
}

/** @param value [images heads, tokens, size] or [images, heads, tokens, size] */
function headsOf(value: Value): Heads | undefined {
  const turned = stored(value);
  const transpose = nodeOf(turned, "Transpose");
  if (!transpose || !sameShape(ints(transpose.attributes, "perm"), [0, 2, 1, 3])) return undefined;
  const [images, heads, length, size] = turned.shape as readonly [number, number, number, number];
  if (!sameShape(value.shape.slice(-2), [length, size]) || elementCount(turned.shape) === 0) return undefined;
  const layer = layerOf(stored(transpose.inputs[0]!));
  if (!layer || !sameShape(layer.weight.shape.slice(0, 1), [heads * size])) return undefined;
  const { x, weight, bias } = layer;
  const { graph: g } = x;
  const width = x.shape[1]!;
  return {
    tokens: g.reshape(x, [images, length, width]),
    weight: g.reshape(weight, [heads, size, width]),
    bias: bias && g.reshape(bias, [heads, 1, size]),
  };
}

interface LinearLayer {
  /** [rows, inputs] */
  readonly x: Value;
  /** [outputs, inputs] */
  readonly weight: Value;
  /** [outputs] */
  readonly bias: Value | undefined;
}

/** The layer that made these columns, or made them together with others. */
function layerOf(columns: Value): LinearLayer | undefined {
  const split = nodeOf(columns, "Split");
  if (!split) return whole(columns);
  const layer = int(split.attributes, "axis") === 1 ? whole(split.inputs[0]!) : undefined;
  if (!layer) return undefined;
  const piece = (of: Value): Value => runsOfRows(of, ints(split.attributes, "split"))[split.outputs.indexOf(columns)]!;
  return { x: layer.x, weight: piece(layer.weight), bias: layer.bias && piece(layer.bias) };
}

function whole(y: Value): LinearLayer | undefined {
  const gemm = nodeOf(y, "Gemm");
  if (!gemm) return undefined;
  const { inputs, attributes: a } = gemm;
  const [x, weight, bias] = inputs as readonly [Value, Value, Value?];
  const plain = !int(a, "transA") && int(a, "transB") === 1 && a.alpha === 1 && (!bias || a.beta === 1);
  return plain && (!bias || sameShape(bias.shape, [y.shape[1]!])) ? { x, weight, bias } : undefined;
}

/** [images, heads queries, tokens] */
function scoresOf(queries: Value, heads: Heads): Value {
  const { graph: g } = queries;
  const { tokens, weight, bias } = heads;
  const byHead = headsFirst(queries, heads);
  const scores = g.matMul(imagesFirst(g.matMul(byHead, weight), heads), g.swap(tokens));
  if (!bias) return scores;
  // Not a product of one column, which ONNX Runtime sums up in an order that depends on where in the batch an image is.
  return g.add(scores, imagesFirst(g.reduceSum(g.mul(byHead, bias), { axes: [2], keepDims: true }), heads));
}

/** [images, heads queries, size] */
function mixtureOf(shares: Value, heads: Heads): Value {
  const { graph: g } = shares;
  const { tokens, weight, bias } = heads;
  const [images, length] = tokens.shape as readonly [number, number];
  const mixed = headsFirst(g.matMul(g.reshape(shares, [images, -1, length]), tokens), heads);
  const values = g.matMul(mixed, g.swap(weight));
  return imagesFirst(bias ? g.add(values, bias) : values, heads);
}

/** [images heads, queries, n] -> [heads, images queries, n] */
function headsFirst(x: Value, { tokens, weight }: Heads): Value {
  const { graph: g } = x;
  const [images, heads, n] = [tokens.shape[0]!, weight.shape[0]!, x.shape.at(-1)!];
  return g.reshape(g.transpose(g.reshape(x, [images, heads, -1, n]), [1, 0, 2, 3]), [heads, -1, n]);
}

/** [heads, images queries, n] -> [images, heads queries, n] */
function imagesFirst(x: Value, { tokens }: Heads): Value {
  const { graph: g } = x;
  const [heads, , n] = x.shape as readonly [number, number, number];
  const images = tokens.shape[0]!;
  return g.reshape(g.transpose(g.reshape(x, [heads, images, -1, n]), [1, 0, 2, 3]), [images, -1, n]);
}

/** Both are stacks of as many matrices: none is read for several of the other. */
function sameStack(a: Value, b: Value): boolean {
  return a.rank >= 2 && b.rank >= 2 && sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
}

/**
 * Whether there are fewer operations with the tokens themselves than with their keys or values, an image and a head. Forward and
 * back to the tokens, a product by weights is two, one of activations three.
 */
function areFew(queries: Value, { tokens, weight }: Heads): boolean {
  const [images, length, width] = tokens.shape as readonly [number, number, number];
  const [heads, size] = weight.shape as readonly [number, number, number];
  const count = elementCount(queries.shape) / (images * heads * queries.shape.at(-1)!);
  return count > 0 && count * width * (2 * size + 3 * length) < length * size * (2 * width + 3 * count);
}

/** Whether keys or values, from the columns that the layer made for them on, are read by one product. */
function onlyRead(value: Value, readers: ReadonlyMap<Value, number>): boolean {
  const node = nodeOf(value);
  if (readers.get(value) !== 1 || !node) return false;
  return isView(node) || node.op === "Transpose" ? onlyRead(node.inputs[0]!, readers) : true;
}

/** Whether rows are shares, which add up to 1. */
function isDistribution(rows: Value): boolean {
  const y = stored(rows);
  const softmax = nodeOf(y, "Softmax");
  return (
    softmax !== undefined && int(softmax.attributes, "axis") === y.rank - 1 && y.shape.at(-1) === rows.shape.at(-1)
  );
}
