import type { Graph, Value } from "../../graph/index.ts";
import {
  ints,
  mismatch,
  poolAttributes,
  product,
  range,
  sameShape,
  windowCounts,
  windowReach,
} from "../../graph/index.ts";
import { type Composites, number } from "./use.ts";

/** Pools beyond those that the graph has, and their inverses. */
export const pools: Composites = {
  GlobalLpPool: ({ g, x: [x], a }) => {
    const p = number(a, "p", 2);
    const over = { axes: range(x!.rank).slice(2), keepDims: true };
    return [root(g, g.reduceSum(power(g, x!, p), over), p)];
  },
  // The sum over windows is a convolution with ones; windows that hang over the end see zeros there.
  LpPool: ({ g, x: [x], a: { p = 2, ...a } }) => {
    const windows = poolAttributes(a, x!);
    const [n, channels, ...size] = x!.shape as [number, number, ...number[]];
    const kernel = ints(windows, "kernel_shape");
    const pads = [...ints(windows, "pads")];
    windowCounts(x!, windows).forEach((count, axis) => {
      const end = (count - 1) * ints(windows, "strides")[axis]! + windowReach(windows, axis);
      const covered = size[axis]! + pads[axis]! + pads[axis + size.length]!;
      pads[axis + size.length]! += Math.max(0, end - covered);
    });
    const powers = g.reshape(power(g, x!, p as number), [n * channels, 1, ...size]);
    const ones = g.expand(g.scalar(1, x!.dtype), [1, 1, ...kernel]);
    const { strides, dilations } = windows;
    const [sums] = g.apply("Conv", [powers, ones], { strides: strides!, dilations: dilations!, pads });
    return [root(g, g.reshape(sums!, [n, channels, ...sums!.shape.slice(2)]), p as number)];
  },
  // Every element returns to the position of its window's maximum. All others are 0.
  MaxUnpool: ({ g, x: [x, places], a }) => {
    const size = unpooledShape(x!, a);
    const wanted = (a.output_shape as readonly number[] | undefined) ?? size;
    // ONNX and ONNX Runtime disagree on positions in a larger image.
    if (!sameShape(wanted, size)) mismatch(`an output of [${wanted}], which is not [${size}], is not supported`);
    const zeros = g.zeros(x!.dtype, [product(size)]);
    const flat = [g.reshape(places!, [-1]), g.reshape(x!, [-1])] as const;
    return [g.reshape(g.apply("ScatterElements", [zeros, ...flat], { axis: 0 })[0]!, size)];
  },
  // Sums overlapping blocks: a transposed convolution that writes each element of a block to its own position.
  Col2Im: ({ g, x: [x], a }) => {
    const [image, block] = [a.image_shape, a.block_shape] as readonly (readonly number[])[];
    const spatial = range(image!.length);
    const elements = product(block!);
    const strides = (a.strides as readonly number[] | undefined) ?? spatial.map(() => 1);
    const dilations = (a.dilations as readonly number[] | undefined) ?? spatial.map(() => 1);
    const pads = (a.pads as readonly number[] | undefined) ?? [...spatial, ...spatial].map(() => 0);
    const reach = spatial.map((i) => dilations[i]! * (block![i]! - 1) + 1);
    const free = spatial.map((i) => image![i]! + pads[i]! + pads[i + spatial.length]! - reach[i]!);
    const counts = spatial.map((i) => Math.floor(free[i]! / strides[i]!) + 1);
    const [n, rows, columns] = x!.shape as [number, number, number];
    if (rows % elements !== 0 || product(counts) !== columns)
      mismatch(`[${x!.shape}] are no columns of blocks [${block}] in [${image}]`);
    const blocks = g.reshape(x!, [n * (rows / elements), elements, ...counts]);
    const identity = Float32Array.from({ length: elements ** 2 }, (_, i) => Number(i % (elements + 1) === 0));
    const kernel = g.constant({ dtype: "float32", shape: [elements, 1, ...block!], data: identity });
    const output_padding = spatial.map((i) => free[i]! % strides[i]!);
    const attributes = { strides, dilations, pads, output_padding };
    const [y] = g.apply("ConvTranspose", [blocks, g.cast(kernel, x!.dtype)], attributes);
    return [g.reshape(y!, [n, rows / elements, ...image!])];
  },
};

function power(g: Graph, x: Value, p: number): Value {
  if (p === 1) return g.abs(x);
  return p === 2 ? g.mul(x, x) : g.pow(g.abs(x), p);
}

/** The p-th root of a non-negative value. Its derivative at 0 is 0. */
function root(g: Graph, x: Value, p: number): Value {
  if (p === 1) return x;
  const isZero = g.equal(x, 0);
  const safe = g.where(isZero, 1, x);
  return g.where(isZero, 0, p === 2 ? g.sqrt(safe) : g.pow(safe, 1 / p));
}

function unpooledShape(x: Value, a: Parameters<Composites[string]>[0]["a"]): readonly number[] {
  const kernel = a.kernel_shape as readonly number[];
  const strides = (a.strides as readonly number[] | undefined) ?? kernel.map(() => 1);
  const pads = (a.pads as readonly number[] | undefined) ?? [...kernel, ...kernel].map(() => 0);
  const size = kernel.map(
    (length, i) => (x.shape[i + 2]! - 1) * strides[i]! + length - pads[i]! - pads[i + kernel.length]!,
  );
  return [...x.shape.slice(0, 2), ...size];
}
