import { mismatch } from "../errors.ts";
import { range, sameShape } from "../shapes.ts";
import type { Attributes, Value, ValueType } from "../value.ts";
import { first, floatDType, int, ints, type Operator, one, sameLength } from "./operator.ts";

/** What convolutions and pools have in common, written out: strides, dilations and pads, one an axis. */
export function windowAttributes(a: Attributes, size: readonly number[], kernel: readonly number[]): Attributes {
  const spatial = size.length;
  const { auto_pad = "NOTSET", ...rest } = a;
  const ones = range(spatial).map(() => 1);
  const zeros = range(2 * spatial).map(() => 0);
  const complete: Attributes = { strides: ones, dilations: ones, pads: zeros, ...rest, kernel_shape: kernel };
  sameLength(complete, ["strides", "dilations", "kernel_shape"], spatial);
  if (auto_pad === "SAME_UPPER" || auto_pad === "SAME_LOWER")
    return { ...complete, pads: samePads(complete, size, auto_pad) };
  sameLength(complete, ["pads"], 2 * spatial);
  return auto_pad === "VALID" ? { ...complete, pads: zeros } : complete;
}

/** How far a window reaches. */
function reachOf(a: Attributes, axis: number): number {
  return ints(a, "dilations")[axis]! * (ints(a, "kernel_shape")[axis]! - 1) + 1;
}

/** Pads that leave as many windows as strides fit into the image; an odd one goes to the end or to the beginning. */
function samePads(a: Attributes, size: readonly number[], auto: "SAME_UPPER" | "SAME_LOWER"): readonly number[] {
  const totals = size.map((length, axis) => {
    const stride = ints(a, "strides")[axis]!;
    return Math.max(0, (Math.ceil(length / stride) - 1) * stride + reachOf(a, axis) - length);
  });
  return halves(totals, auto === "SAME_LOWER");
}

function halves(totals: readonly number[], moreBefore: boolean): readonly number[] {
  const before = totals.map((total) => (moreBefore ? Math.ceil(total / 2) : Math.floor(total / 2)));
  return [...before, ...totals.map((total, axis) => total - before[axis]!)];
}

/** Windows along one axis. */
interface Windows {
  readonly count: number;
  /** One more would come of rounding up, but would begin behind the image: ONNX's inference counts it, kernels do not. */
  readonly isOneLess: boolean;
  /** Padding behind the image with which the last window ends where the padded image does; negative where that is within the image. */
  readonly after: number;
}

/** Windows that fit along each axis; under `ceil_mode` also one that hangs over the end, if it begins before it. */
function windowsOf(size: readonly number[], a: Attributes): readonly Windows[] {
  return size.map((length, axis) => {
    const [before, after] = [ints(a, "pads")[axis]!, ints(a, "pads")[axis + size.length]!];
    const [reach, stride] = [reachOf(a, axis), ints(a, "strides")[axis]!];
    const padded = length + before + after;
    if (padded < reach) mismatch(`kernel reaches ${reach} pixels, the padded image has ${padded}`);
    const strides = (padded - reach) / stride;
    const most = a.ceil_mode ? Math.ceil(strides) + 1 : Math.floor(strides) + 1;
    const isOneLess = !!a.ceil_mode && (most - 1) * stride >= length + before;
    const count = isOneLess ? most - 1 : most;
    return { count, isOneLess, after: (count - 1) * stride + reach - length - before };
  });
}

const windowCounts = ({ shape }: Value, a: Attributes): readonly number[] =>
  windowsOf(shape.slice(2), a).map(({ count }) => count);

/**
 * How much of an image's end to cut off, and the padding behind it, for rounding up to count no window that begins behind the
 * image; undefined where it counts none.
 *
 * @param size of the image, with complete attributes
 */
export function withoutWindowBehind(
  size: readonly number[],
  a: Attributes,
): { readonly cut: readonly number[]; readonly pads: readonly number[] } | undefined {
  const windows = windowsOf(size, a);
  if (windows.every(({ isOneLess }) => !isOneLess)) return undefined;
  const [before, after] = [ints(a, "pads").slice(0, size.length), ints(a, "pads").slice(size.length)];
  return {
    cut: windows.map((one) => (one.isOneLess ? Math.max(0, -one.after) : 0)),
    pads: [...before, ...windows.map((one, axis) => (one.isOneLess ? Math.max(0, one.after) : after[axis]!))],
  };
}

/** Pooling that rounds down instead of up, as padding has it, where rounding up would count a window behind the image. */
function unambiguous(size: readonly number[], a: Attributes): Attributes {
  const windows = windowsOf(size, a);
  if (windows.every(({ isOneLess }) => !isOneLess)) return a;
  const [before, after] = [ints(a, "pads").slice(0, size.length), ints(a, "pads").slice(size.length)];
  const hangs = windows.some((one, axis) => one.after > after[axis]!);
  const isTooWide = windows.some((one, axis) => one.after >= ints(a, "kernel_shape")[axis]!);
  if ((hangs && a.count_include_pad) || isTooWide)
    mismatch("with ceil_mode, a window would begin behind the image along one axis, and hang over it along another");
  return { ...a, ceil_mode: 0, pads: [...before, ...windows.map((one) => Math.max(0, one.after))] };
}

export const conv: Operator = {
  complete: (a, x) => ({ group: 1, ...windowAttributes(a, first(x, 2).shape.slice(2), x[1]!.shape.slice(2)) }),
  infer: (x, a) => {
    const dtype = floatDType(x);
    const [image, weight, bias] = [x[0]!, x[1]!, x[2]];
    if (image.rank < 3 || weight.rank !== image.rank) mismatch("needs an image [N, C, ...] and a weight of equal rank");
    const group = int(a, "group");
    const [channels, out, perGroup] = [image.shape[1]!, weight.shape[0]!, weight.shape[1]!];
    if (channels !== perGroup * group) mismatch(`image has ${channels} channels, weight takes ${perGroup} x ${group}`);
    if (out % group !== 0) mismatch(`${out} output channels do not divide into ${group} groups`);
    if (bias && !sameShape(bias.shape, [out])) mismatch(`bias must have shape [${out}]`);
    return one(dtype, [image.shape[0]!, out, ...windowCounts(image, a)]);
  },
};

export const convTranspose: Operator = {
  complete: (a, x) => {
    const size = first(x, 2).shape.slice(2);
    const { output_shape: wanted, auto_pad = "NOTSET", ...rest } = a;
    const complete = {
      ...{ group: 1, output_padding: size.map(() => 0) },
      ...windowAttributes(rest, size, x[1]!.shape.slice(2)),
    };
    const same = auto_pad === "SAME_UPPER" || auto_pad === "SAME_LOWER";
    if (wanted === undefined && !same) return complete;
    const strides = ints(complete, "strides");
    const out = (wanted as readonly number[] | undefined) ?? size.map((length, axis) => length * strides[axis]!);
    const totals = size.map((_, axis) => transposedSize(complete, size, axis) - out.at(axis - size.length)!);
    return { ...complete, pads: halves(totals, auto_pad !== "SAME_UPPER") };
  },
  infer: (x, a) => {
    const dtype = floatDType(x);
    const [image, weight, bias] = [x[0]!, x[1]!, x[2]];
    if (weight.rank !== image.rank || weight.shape[0] !== image.shape[1]) mismatch("weight does not fit the image");
    const channels = weight.shape[1]! * int(a, "group");
    if (bias && !sameShape(bias.shape, [channels])) mismatch(`bias must have shape [${channels}]`);
    const size = image.shape.slice(2);
    const spatial = size.map((_, axis) => {
      const pads = ints(a, "pads")[axis]! + ints(a, "pads")[axis + size.length]!;
      return transposedSize(a, size, axis) - pads;
    });
    return one(dtype, [image.shape[0]!, channels, ...spatial]);
  },
};

/** What a transposed convolution covers before its pads are cut off. */
function transposedSize(a: Attributes, size: readonly number[], axis: number): number {
  return ints(a, "strides")[axis]! * (size[axis]! - 1) + ints(a, "output_padding")[axis]! + reachOf(a, axis);
}

function poolAttributes(a: Attributes, x: readonly Value[]): Attributes {
  const size = first(x).shape.slice(2);
  return unambiguous(size, windowAttributes(a, size, ints(a, "kernel_shape")));
}

function pooled(x: readonly Value[], a: Attributes): ValueType {
  const image = first(x);
  if (image.rank < 3) mismatch("needs an image [N, C, ...]");
  return { dtype: floatDType([image]), shape: [...image.shape.slice(0, 2), ...windowCounts(image, a)] };
}

/** Largest elements of windows, and where they stand in the flattened image. */
export const maxPool: Operator = {
  complete: ({ storage_order: _, ...a }, x) => poolAttributes({ ceil_mode: 0, ...a }, x),
  infer: (x, a) => {
    const { dtype, shape } = pooled(x, a);
    return [
      { dtype, shape },
      { dtype: "int64", shape },
    ];
  },
};

export const averagePool: Operator = {
  complete: (a, x) => poolAttributes({ ceil_mode: 0, count_include_pad: 0, ...a }, x),
  infer: (x, a) => [pooled(x, a)],
};
