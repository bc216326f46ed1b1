/** Pullbacks of convolutions and pools. */

import type { Value } from "../graph/index.ts";
import { int, ints, product, range } from "../graph/index.ts";
import type { Step } from "./rules.ts";

/** The transpose of a convolution is ConvTranspose; output padding restores rows that a stride skipped. */
export function convImage({ g, x: [image, weight], dy, a }: Step): Value {
  const spatial = image!.rank - 2;
  const output_padding = range(spatial).map((i) => {
    const reach = ints(a, "dilations")[i]! * (weight!.shape[i + 2]! - 1) + 1;
    const pads = ints(a, "pads")[i]! + ints(a, "pads")[i + spatial]!;
    return image!.shape[i + 2]! - (ints(a, "strides")[i]! * (dy.shape[i + 2]! - 1) + reach - pads);
  });
  return g.apply("ConvTranspose", [dy, weight!], { ...a, output_padding })[0]!;
}

/**
 * dW[o, c, k] = sum over images n and positions p of dy[n, o, p] x[n, c, p stride + k dilation - pad]: a convolution
 * of the image, channels as batch, with dy as kernel, where stride and dilation change places.
 */
export function convWeight({ g, x: [image, weight], dy, a }: Step): Value {
  const group = int(a, "group");
  const [n, channels, ...size] = image!.shape as [number, number, ...number[]];
  const perGroup = channels / group;
  const spatial = range(size.length);
  // [N, G, C/G, ...] -> [C/G, G N, ...]: channels become images, and each group convolves its own N channels.
  const grouped = g.reshape(image!, [n, group, perGroup, ...size]);
  const asImages = g.transpose(grouped, [2, 1, 0, ...spatial.map((i) => i + 3)]);
  const kernel = g.transpose(dy, [1, 0, ...spatial.map((i) => i + 2)]);
  const full = g.conv(g.reshape(asImages, [perGroup, group * n, ...size]), kernel, undefined, {
    strides: ints(a, "dilations"),
    dilations: ints(a, "strides"),
    pads: ints(a, "pads"),
    group,
  });
  // A stride that does not divide the image leaves rows no output used; they show up behind the kernel's extent.
  const extent = weight!.shape.slice(2);
  const kernelPart = g.slice(full, { starts: spatial.map(() => 0), ends: extent, axes: spatial.map((i) => i + 2) });
  return g.transpose(kernelPart, [1, 0, ...spatial.map((i) => i + 2)]);
}

/** The transposed convolution is the pullback of a convolution: its own pullback is that convolution. */
export function convTransposeImage({ g, x: [, weight], dy, a }: Step): Value {
  const { output_padding: _, ...attributes } = a;
  return g.apply("Conv", [dy, weight!], attributes)[0]!;
}

/** The weight gradient of that convolution, of which dy is the image and x the cotangent. */
export function convTransposeWeight(step: Step): Value {
  const [image, weight] = step.x;
  return convWeight({ ...step, x: [step.dy, weight!], dy: image! });
}

/** Each cotangent goes to the largest element of its window, the first if several are equal. */
export function maxPoolImage({ g, x: [x], ys: [, places], dy }: Step): Value {
  const zeros = g.zeros(dy.dtype, [product(x!.shape)]);
  const flat = [g.reshape(places!, [-1]), g.reshape(dy, [-1])] as const;
  return g.reshape(g.apply("ScatterElements", [zeros, ...flat], { axis: 0, reduction: "add" })[0]!, x!.shape);
}

/** Each cotangent, divided by the number of elements averaged, goes to all of its window. */
export function averagePoolImage({ g, x: [x], dy, a }: Step): Value {
  const [kernel, strides, dilations] = [ints(a, "kernel_shape"), ints(a, "strides"), ints(a, "dilations")];
  const pads = ints(a, "pads");
  const size = x!.shape.slice(2);
  const counts = range(size.length).map((axis) => elementCounts(x!, dy, a, axis));
  const shares = counts.reduce((grad, count, axis) => {
    const shape = grad.shape.map((length, i) => (i === axis + 2 ? length : 1));
    const inverse = Float64Array.from(count, (elements) => 1 / elements);
    const constant = g.constant({ dtype: "float64", shape, data: inverse });
    return g.mul(grad, g.cast(constant, grad.dtype));
  }, dy);
  const planes = g.reshape(shares, [x!.shape[0]! * x!.shape[1]!, 1, ...dy.shape.slice(2)]);
  const ones = g.expand(g.scalar(1, dy.dtype), [1, 1, ...kernel]);
  const spread = g.apply("ConvTranspose", [planes, ones], { strides, dilations })[0]!;
  // Windows cover the padding first. No window covers the elements after the last one.
  const cut = size.map((length, axis) => pads[axis]! + length - spread.shape[axis + 2]!);
  const all = g.pad(spread, [0, 0, ...pads.slice(0, size.length).map((pad) => -pad), 0, 0, ...cut]);
  return g.reshape(all, x!.shape);
}

/** Number of elements that the windows along an axis average. */
function elementCounts(x: Value, dy: Value, a: Step["a"], axis: number): readonly number[] {
  const [length, before, after] = [x.shape[axis + 2]!, ints(a, "pads")[axis]!, ints(a, "pads").at(axis - x.rank + 2)!];
  const [low, high] = int(a, "count_include_pad") ? [-before, length + after] : [0, length];
  return range(dy.shape[axis + 2]!).map((window) => {
    const start = window * ints(a, "strides")[axis]! - before;
    const taps = range(ints(a, "kernel_shape")[axis]!).map((k) => start + k * ints(a, "dilations")[axis]!);
    return taps.filter((at) => at >= low && at < high).length;
  });
}
