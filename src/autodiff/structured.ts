/** Derivative rules that take more than a line. Each is the pullback of one operator for one input. */

import type { Attributes, Graph, Value } from "../graph/index.ts";
import { gated, gaussian, int, ints, isModerate, product, range } from "../graph/index.ts";
import { AutodiffError } from "./errors.ts";
import type { Step } from "./rules.ts";
import { isTameAtZero, unlessLeftOut } from "./singular.ts";

export const inverse = (perm: readonly number[]): readonly number[] =>
  range(perm.length).map((axis) => perm.indexOf(axis));

export const allBut = (axis: number, rank: number): readonly number[] => range(rank).filter((i) => i !== axis);

export const countOf = (x: Value, axes: readonly number[]): number => product(axes.map((axis) => x.shape[axis]!));

/** [0, a, a + b, ...] for [a, b, ...]. */
export function partialSums(sizes: readonly number[]): readonly number[] {
  const sums = [0];
  for (const size of sizes) sums.push(sums.at(-1)! + size);
  return sums;
}

/** Reshapes a cotangent to its input's shape. In a shape, 0 means the previous size, so empty inputs get zeros. */
export const backInto = (g: Graph, dy: Value, x: Value): Value =>
  x.shape.includes(0) ? g.zeros(x.dtype, x.shape) : g.reshape(dy, x.shape);

export const sameDType = (g: Graph, x: Value, like: Value): Value => g.cast(x, like.dtype);

/** b a^(b-1). It is 0 for b = 0, and is set to 0 where it is infinite: at a = 0, for b below 1. */
export function powBase({ g, x: [a, b], dy }: Step): Value {
  const power = g.pow(a!, g.where(g.equal(b!, 0), 1, g.sub(b!, 1)));
  const slope = g.mul(dy, g.mul(sameDType(g, b!, a!), power));
  if (isTameAtZero(b!)) return slope;
  return g.where(g.and(g.equal(a!, 0), g.apply("Less", [b!, g.scalar(1, b!.dtype)])[0]!), 0, slope);
}

/** y log a, 0 at a = 0. */
export function powExponent(step: Step): Value {
  const {
    g,
    x: [a],
    y,
    dy,
  } = step;
  return unlessLeftOut(step, g.mul(dy, g.mul(y, g.log(g.where(g.equal(a!, 0), 1, a!)))));
}

/** A reduction's result restored to the rank of its input, with size 1 on the reduced axes. */
export function restoreAxes(g: Graph, reduced: Value, x: Value, a: Attributes): Value {
  return g.reshape(
    reduced,
    x.shape.map((size, i) => (ints(a, "axes").includes(i) ? 1 : size)),
  );
}

export function spread({ g, x, dy, a }: Step): Value {
  return g.expand(restoreAxes(g, dy, x[0]!, a), x[0]!.shape);
}

/** Min and Max of several operands: operands that tie for the extreme share the cotangent equally. */
export function shareAmongTies({ g, x, y, dy }: Step, index: number): Value {
  const hits = x.map((operand) => g.cast(g.equal(g.expand(operand, y.shape), y), dy.dtype));
  return g.div(g.mul(dy, hits[index]!), hits.reduce(g.add));
}

/** ReduceMin and ReduceMax: elements that tie for the extreme share the cotangent equally. */
export function shareAmongExtremes({ g, x: [x], y, dy, a }: Step): Value {
  const hits = g.cast(g.equal(x!, restoreAxes(g, y, x!, a)), dy.dtype);
  const ties = g.reduceSum(hits, { axes: ints(a, "axes"), keepDims: true });
  return g.mul(hits, g.div(restoreAxes(g, dy, x!, a), ties));
}

/** TopK: each cotangent goes back to its value's position. */
export function scatterTop({ g, x: [x], ys, dy, a }: Step): Value {
  const axis = int(a, "axis");
  const size = x!.shape[axis]!;
  const places = g.reshape(
    g.indices(Array.from({ length: size }, (_, i) => i)),
    x!.shape.map((_, i) => (i === axis ? size : 1)),
  );
  const hits = g.equal(g.unsqueeze(places, [axis + 1]), g.unsqueeze(ys[1]!, [axis]));
  return g.reduceSum(g.mul(g.cast(hits, dy.dtype), g.unsqueeze(dy, [axis])), { axes: [axis + 1] });
}

/**
 * Exact: Phi(x) + x phi(x) = (1 + erf(u)) / 2 + u exp(-u^2) / sqrt(pi), u = x / sqrt(2). Tanh form, y = x/2 (1 + tanh u),
 * u = c (x + k x^3): (1 + t)/2 + x/2 (1 - t^2) c (1 + 3 k x^2).
 */
export function geluDerivative({ g, x: [x], a }: Step): Value {
  if (a.approximate === "none") {
    const { u, twicePhi } = gaussian(x!);
    // 2 / sqrt(pi) inside the exponential: one pass less than outside.
    const density = g.mul(u, g.exp(g.sub(Math.log(2 / Math.sqrt(Math.PI)), g.mul(u, u))));
    return g.mul(g.add(twicePhi, density), 0.5);
  }
  const c = Math.sqrt(2 / Math.PI);
  const k = 0.044715;
  const squared = g.mul(x!, x!);
  const t = g.tanh(g.mul(x!, g.add(g.mul(squared, c * k), c)));
  const slope = g.mul(x!, g.add(g.mul(squared, 3 * c * k), c));
  return g.mul(g.add(g.add(t, 1), g.mul(slope, g.sub(1, g.mul(t, t)))), 0.5);
}

/** Derivative of x s, where z = alpha x and s = sigmoid(z): s + z s (1 - s), whose parts the forward pass computes anyway. */
export function swishDerivative(g: Graph, x: Value, alpha: number): Value {
  const { z, s } = gated(x, alpha);
  const tail = g.sub(1, s);
  if (isModerate(alpha)) return g.add(s, g.mul(g.mul(z, s), tail));
  // alpha x may overflow where x does not.
  return g.add(s, g.mul(g.mul(x, g.mul(s, tail)), alpha));
}

/** For y = a b: da = dy b^T. Vectors are seen as a row (left) or a column (right), as MatMul does. */
export function matMulLeft({ g, x: [a, b], dy }: Step): Value {
  const { left, right, grad } = asMatrices(g, a!, b!, dy);
  return g.reshape(summedTo(g, g.matMul(grad, g.swap(right)), left.shape), a!.shape);
}

/** For y = a b: db = a^T dy. A matrix b that serves a whole batch sees the batch as more rows: one large product. */
export function matMulRight({ g, x: [a, b], dy }: Step): Value {
  const { left, right, grad } = asMatrices(g, a!, b!, dy);
  if (right.rank === 2 && left.rank > 2) {
    const rows = g.reshape(left, [-1, left.shape.at(-1)!]);
    return g.reshape(g.matMul(g.swap(rows), g.reshape(grad, [-1, grad.shape.at(-1)!])), b!.shape);
  }
  return g.reshape(summedTo(g, g.matMul(g.swap(left), grad), right.shape), b!.shape);
}

function asMatrices(g: Graph, a: Value, b: Value, dy: Value) {
  const left = a.rank === 1 ? g.unsqueeze(a, [0]) : a;
  const right = b.rank === 1 ? g.unsqueeze(b, [1]) : b;
  const withRow = a.rank === 1 ? g.unsqueeze(dy, [b.rank === 1 ? -1 : -2]) : dy;
  const grad = b.rank === 1 ? g.unsqueeze(withRow, [-1]) : withRow;
  return { left, right, grad };
}

/** Undoes broadcasting: sums over the axes along which a value of `shape` was repeated. */
export function summedTo(g: Graph, x: Value, shape: readonly number[]): Value {
  const extra = x.rank - shape.length;
  const axes = range(x.rank).filter((i) => i < extra || (shape[i - extra] === 1 && x.shape[i] !== 1));
  return axes.length === 0 ? x : g.reshape(g.reduceSum(x, { axes }), shape);
}

/** x-hat of LayerNormalization, from the statistics its forward pass already has. */
export function normalized(step: Step): Value {
  return step.g.mul(deviation(step), inverseStd(step));
}

function deviation({ g, x: [x], ys: [, mean] }: Step): Value {
  return g.sub(x!, sameDType(g, mean!, x!));
}

function inverseStd({ g, x: [x], ys: [, , std] }: Step): Value {
  return sameDType(g, std!, x!);
}

/**
 * dx = (s - mean(s) - d mean(s d) / var) / std, with s = scale dy and d = x - mean (Ba et al. 2016, differentiated): d instead
 * of x-hat = d / std, which is a pass more.
 */
export function layerNormInput(step: Step): Value {
  const {
    g,
    x: [x, scale],
    dy,
    a,
  } = step;
  const axes = range(x!.rank).slice(int(a, "axis"));
  const mean = (value: Value): Value => g.reduceMean(value, { axes, keepDims: true });
  const s = g.mul(dy, scale!);
  const [d, inverse] = [deviation(step), inverseStd(step)];
  // One after the other: in float16 the square would be infinite where the deviation is small.
  const slope = g.mul(g.mul(mean(g.mul(s, d)), inverse), inverse);
  return g.mul(g.sub(g.sub(s, mean(s)), g.mul(d, slope)), inverse);
}

/** Elements that the slice left out get zero: padding around it, or between its elements when it strides. */
export function unslice({ g, x: [x], dy, a }: Step): Value {
  const axes = ints(a, "axes");
  const [starts, steps] = [ints(a, "starts"), ints(a, "steps")];
  if (steps.every((step) => step === 1)) {
    const pads = range(2 * x!.rank).map(() => 0);
    axes.forEach((axis, i) => {
      pads[axis] = starts[i]!;
      pads[axis + x!.rank] = x!.shape[axis]! - starts[i]! - dy.shape[axis]!;
    });
    return g.pad(dy, pads);
  }
  return axes.reduce((grad, axis, i) => {
    const source = range(dy.shape[axis]!).map((position) => starts[i]! + position * steps[i]!);
    return gatherTranspose(g, grad, source, x!.shape[axis]!, axis);
  }, dy);
}

/** Cotangent of `Gather`: every row of dy is added to the row it was read from. Negative indices count from the end. */
export function ungather(g: Graph, x: Value, indices: Value, dy: Value, axis: number): Value {
  const { origin } = indices;
  if (origin.kind === "constant") {
    const size = x.shape[axis]!;
    const source = range(origin.tensor.data.length).map((i) => (Number(origin.tensor.data[i]) + size) % size);
    const rest = [...x.shape.slice(0, axis), source.length, ...x.shape.slice(axis + 1)];
    return gatherTranspose(g, g.reshape(dy, rest), source, size, axis);
  }
  const before = range(axis);
  const indexAxes = range(indices.rank).map((i) => i + axis);
  const after = range(x.rank - axis - 1).map((i) => i + axis + indices.rank);
  const updates = g.transpose(dy, [...indexAxes, ...before, ...after]);
  const front = [axis, ...range(x.rank).filter((i) => i !== axis)];
  const zeros = g.zeros(
    dy.dtype,
    front.map((i) => x.shape[i]!),
  );
  const at = g.unsqueeze(g.cast(indices, "int64"), [-1]);
  const summed = g.apply("ScatterND", [zeros, at, updates], { reduction: "add" })[0]!;
  return g.transpose(summed, inverse(front));
}

/** Sums row i of dy into row source[i] along an axis of known size. Rows nobody read are zero. */
function gatherTranspose(g: Graph, dy: Value, source: readonly number[], size: number, axis: number): Value {
  const readers = range(size).map(() => [] as number[]);
  for (const [i, row] of source.entries()) readers[row]!.push(i);
  const maxReads = Math.max(...readers.map((rows) => rows.length));
  const zeroRow = dy.shape[axis]!;
  const padded = g.pad(
    dy,
    range(2 * dy.rank).map((i) => (i === axis + dy.rank ? 1 : 0)),
  );
  const rounds = range(Math.max(maxReads, 1)).map((round) =>
    g.gather(padded, g.indices(readers.map((rows) => rows[round] ?? zeroRow)), axis),
  );
  return rounds.reduce(g.add);
}

export function unpad({ g, x: [x], dy, a }: Step): Value {
  const pads = ints(a, "pads");
  if (a.mode === "constant") {
    // Negative pads crop the input: what they cut off has no influence and gets zero.
    const crop = pads.map((pad) => Math.max(pad, 0));
    const grow = pads.map((pad) => Math.max(-pad, 0));
    const kept = g.slice(dy, {
      starts: crop.slice(0, x!.rank),
      ends: range(x!.rank).map((i) => dy.shape[i]! - crop[i + x!.rank]!),
    });
    return grow.some((pad) => pad > 0) ? g.pad(kept, grow) : kept;
  }
  return range(x!.rank).reduce((grad, axis) => {
    // Negative pads crop first; what is padded is the rest.
    const [before, after] = [pads[axis]!, pads[axis + x!.rank]!];
    const cropped = Math.max(-before, 0);
    const rest = x!.shape[axis]! - cropped - Math.max(-after, 0);
    const source = range(grad.shape[axis]!).map(
      (i) => cropped + paddingSource(i - Math.max(before, 0), rest, String(a.mode)),
    );
    return gatherTranspose(g, grad, source, x!.shape[axis]!, axis);
  }, dy);
}

/** Where a padded position reads from. */
function paddingSource(position: number, size: number, mode: string): number {
  if (mode === "edge") return Math.min(Math.max(position, 0), size - 1);
  if (mode === "wrap") return ((position % size) + size) % size;
  if (mode !== "reflect") throw new AutodiffError(`Pad: no gradient for mode ${mode}.`);
  const period = Math.max(2 * (size - 1), 1);
  const folded = ((position % period) + period) % period;
  return folded < size ? folded : period - folded;
}
