import type { DType } from "../../tensor/index.ts";
import { mismatch } from "../errors.ts";
import { range, sameShape } from "../shapes.ts";
import type { Attributes, Value, ValueType } from "../value.ts";
import { first, floatDType, int, ints, type Operator, one, sameLength } from "./operator.ts";

const autoPads: readonly string[] = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"];

/** Common attributes of convolutions and pools, written out: strides, dilations and pads, one an axis. */
function windowAttributes(a: Attributes, size: readonly number[], kernel: readonly number[]): Attributes {
  const spatial = size.length;
  const { auto_pad = "NOTSET", ...rest } = a;
  const ones = range(spatial).map(() => 1);
  const zeros = range(2 * spatial).map(() => 0);
  if (rest.kernel_shape !== undefined && !sameShape(ints(rest, "kernel_shape"), kernel))
    mismatch(`kernel_shape [${rest.kernel_shape}] is not the weight's, [${kernel}]`);
  if (!autoPads.includes(String(auto_pad))) mismatch(`auto_pad ${auto_pad} is none of ${autoPads.join(", ")}`);
  const complete: Attributes = { strides: ones, dilations: ones, pads: zeros, ...rest, kernel_shape: kernel };
  sameLength(complete, ["strides", "dilations", "kernel_shape"], spatial);
  if (auto_pad === "SAME_UPPER" || auto_pad === "SAME_LOWER")
    return { ...complete, pads: samePads(complete, size, auto_pad) };
  sameLength(complete, ["pads"], 2 * spatial);
  return auto_pad === "VALID" ? { ...complete, pads: zeros } : complete;
}

/** How far a window reaches. */
export function windowReach(a: Attributes, axis: number): number {
  return ints(a, "dilations")[axis]! * (ints(a, "kernel_shape")[axis]! - 1) + 1;
}

/** Pads that leave as many windows as strides fit into the image; an odd one goes to the end or to the beginning. */
function samePads(a: Attributes, size: readonly number[], auto: "SAME_UPPER" | "SAME_LOWER"): readonly number[] {
  const totals = size.map((length, axis) => {
    const stride = ints(a, "strides")[axis]!;
    return Math.max(0, (Math.ceil(length / stride) - 1) * stride + windowReach(a, axis) - length);
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
    const [reach, stride] = [windowReach(a, axis), ints(a, "strides")[axis]!];
    const padded = length + before + after;
    if (padded < reach) mismatch(`kernel reaches ${reach} pixels, the padded image has ${padded}`);
    const strides = (padded - reach) / stride;
    const maxCount = a.ceil_mode ? Math.ceil(strides) + 1 : Math.floor(strides) + 1;
    const isOneLess = !!a.ceil_mode && (maxCount - 1) * stride >= length + before;
    const count = isOneLess ? maxCount - 1 : maxCount;
    return { count, isOneLess, after: (count - 1) * stride + reach - length - before };
  });
}

export const windowCounts = ({ shape }: Value, a: Attributes): readonly number[] =>
  windowsOf(shape.slice(2), a).map(({ count }) => count);

/**
 * Pooling whose windows ONNX's inference and kernels count alike: where rounding up would count one that begins behind the
 * image, it rounds down, as padding has it. Where another axis forbids that, some of the image's end is to be cut off first.
 *
 * @param size of the image
 * @param a complete attributes
 * @returns pixels to cut off the end of each axis, and the attributes then
 */
export function countedAlike(
  size: readonly number[],
  a: Attributes,
): { readonly cut: readonly number[]; readonly attributes: Attributes } {
  const windows = windowsOf(size, a);
  const none = size.map(() => 0);
  if (windows.every(({ isOneLess }) => !isOneLess)) return { cut: none, attributes: a };
  const [before, after] = [ints(a, "pads").slice(0, size.length), ints(a, "pads").slice(size.length)];
  const hangs = windows.some((one, axis) => one.after > after[axis]!);
  const isTooWide = windows.some((one, axis) => one.after >= ints(a, "kernel_shape")[axis]!);
  if (!(hangs && a.count_include_pad) && !isTooWide) {
    const pads = [...before, ...windows.map((one) => Math.max(0, one.after))];
    return { cut: none, attributes: { ...a, ceil_mode: 0, pads } };
  }
  const cut = windows.map((one) => (one.isOneLess ? Math.max(0, -one.after) : 0));
  const pads = windows.map((one, axis) => (one.isOneLess ? Math.max(0, one.after) : after[axis]!));
  return { cut, attributes: { ...a, pads: [...before, ...pads] } };
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
    const pads = halves(
      totals.map((total) => Math.max(0, total)),
      auto_pad !== "SAME_UPPER",
    );
    if (wanted === undefined) return { ...complete, pads };
    // Rows requested beyond those that the windows cover are rows at the end that a stride skipped.
    const output_padding = totals.map((total, axis) => ints(complete, "output_padding")[axis]! + Math.max(0, -total));
    if (output_padding.some((rows, axis) => rows > 0 && rows >= strides[axis]!))
      mismatch(`an output of [${out}] is larger than what [${size}] can be made of by strides of [${strides}]`);
    return { ...complete, output_padding, pads };
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

/** Size that a transposed convolution covers before its pads are cut off. */
function transposedSize(a: Attributes, size: readonly number[], axis: number): number {
  return ints(a, "strides")[axis]! * (size[axis]! - 1) + ints(a, "output_padding")[axis]! + windowReach(a, axis);
}

/** Integers of which kernels find the largest. */
const bytes: readonly DType[] = ["uint8", "int8"];

function pooled(x: readonly Value[], a: Attributes, integers: readonly DType[] = []): ValueType {
  const image = first(x);
  if (image.rank < 3) mismatch("needs an image [N, C, ...]");
  const dtype = integers.includes(image.dtype) ? image.dtype : floatDType([image]);
  return { dtype, shape: [...image.shape.slice(0, 2), ...windowCounts(image, a)] };
}

/** Largest elements of windows, and where they stand in the flattened image. */
export const maxPool: Operator = {
  complete: ({ storage_order: _, ...a }, x) => pool({ ceil_mode: 0, ...a }, first(x)),
  infer: (x, a) => {
    const { dtype, shape } = pooled(x, a, bytes);
    return [
      { dtype, shape },
      { dtype: "int64", shape },
    ];
  },
};

/** A pool's attributes over an image [N, C, ...], written out. */
export const poolAttributes = (a: Attributes, image: Value): Attributes =>
  windowAttributes(a, image.shape.slice(2), ints(a, "kernel_shape"));

/** The same, where its windows are counted alike by all. */
function pool(a: Attributes, image: Value): Attributes {
  const { cut, attributes } = countedAlike(image.shape.slice(2), poolAttributes(a, image));
  if (cut.some((pixels) => pixels > 0))
    mismatch(`with ceil_mode, a window would begin behind the image: cut [${cut}] pixels off its end first`);
  return attributes;
}

export const averagePool: Operator = {
  complete: (a, x) => pool({ ceil_mode: 0, count_include_pad: 0, ...a }, first(x)),
  infer: (x, a) => [pooled(x, a)],
};
