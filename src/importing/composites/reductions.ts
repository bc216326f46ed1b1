import type { Graph, Value } from "../../graph/index.ts";
import { axesIn, range } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/index.ts";
import type { Composites } from "./use.ts";

/** Reductions, pools over the whole image, sums and means of several operands. */
export const reductions: Composites = {
  ReduceL1: ({ g, x: [x], a }) => [sum(g, g.abs(x!), a)],
  ReduceSumSquare: ({ g, x: [x], a }) => [sum(g, g.mul(x!, x!), a)],
  ReduceLogSum: ({ g, x: [x], a }) => [g.log(sum(g, x!, a))],
  ReduceLogSumExp: ({ g, x: [x], a }) => {
    // Subtracts the largest, so that no exponential overflows. Infinities are not subtracted.
    const [most] = g.apply("ReduceMax", [x!], { ...a, keepdims: 1 });
    const largest = g.where(g.equal(g.abs(most!), Number.POSITIVE_INFINITY), 0, most!);
    const rest = g.log(sum(g, g.exp(g.sub(x!, largest)), a));
    return [g.add(rest, g.reshape(largest, rest.shape))];
  },
  ReduceProd: ({ g, x: [x], a }) => {
    const axes = axesIn(a.axes as readonly number[] | undefined, x!.rank);
    const all = axes.reduce((value, axis) => productAlong(g, value, axis), x!);
    return [a.keepdims === 0 ? g.squeeze(all, axes) : all];
  },
  GlobalAveragePool: ({ g, x: [x] }) => [g.reduceMean(x!, { axes: range(x!.rank).slice(2), keepDims: true })],
  GlobalMaxPool: ({ g, x: [x] }) => [g.reduceMax(x!, { axes: range(x!.rank).slice(2), keepDims: true })],
  Sum: ({ g, x }) => [added(g, x as readonly Value[])],
  Mean: ({ g, x }) => [g.div(added(g, x as readonly Value[]), x.length)],
};

function sum(g: Graph, x: Value, a: Attributes): Value {
  return g.apply("ReduceSum", [x], a)[0]!;
}

/** By halves: the derivative is then right where factors are 0, which dividing the product by each would not be. */
function productAlong(g: Graph, x: Value, axis: number): Value {
  const size = x.shape[axis]!;
  if (size === 0) return g.expand(g.scalar(1, x.dtype), x.shape.with(axis, 1));
  if (size === 1) return x;
  const half = Math.floor(size / 2);
  const [left, right, odd] = g.split(x, size % 2 ? [half, half, 1] : [half, half], axis);
  const halves = g.mul(left!, right!);
  return productAlong(g, odd ? g.concat([halves, odd], axis) : halves, axis);
}

function added(g: Graph, x: readonly Value[]): Value {
  return x.slice(1).reduce((total, value) => g.add(total, value), x[0]!);
}
