import type { Value } from "../../../graph/index.ts";
import { mismatch, product, range } from "../../../graph/index.ts";
import { type Composite, number } from "../use.ts";
import { alongAxis, sampled } from "./sample.ts";

/**
 * Deformable convolution: image [N, C, H, W], weight [O, C / group, h, w], offsets [N, G h w 2, H', W'] (rows before columns),
 * bias [O], and what elements count, [N, G h w, H', W'].
 * Source: https://arxiv.org/abs/1811.11168
 */
export const deformableConvolution: Composite = ({ g, x: [image, weight, offset, bias, mask], a }) => {
  if (image!.rank !== 4) mismatch("is of images of two axes only");
  const [n, channels, ...sizes] = image!.shape as [number, number, number, number];
  const [out, perGroup, ...kernel] = weight!.shape as [number, number, number, number];
  const [groups, offsetGroups] = [number(a, "group", 1), number(a, "offset_group", 1)];
  const [strides, dilations] = ["strides", "dilations"].map((name) => (a[name] as readonly number[]) ?? [1, 1]);
  const pads = (a.pads as readonly number[] | undefined) ?? [0, 0, 0, 0];
  const [height, width] = offset!.shape.slice(2) as [number, number];
  const taps = product(kernel);
  // [N, G, taps, 2, H', W'], of which every axis of the image takes its own.
  const offsets = g.reshape(offset!, [n, offsetGroups, taps, 2, height, width]);
  const positions = sizes.map((_, axis): Value => {
    const own = g.squeeze(g.slice(offsets, { starts: [axis], ends: [axis + 1], axes: [3] }), [3]);
    const inKernel = range(taps).map((tap) => (axis ? tap % kernel[1]! : Math.floor(tap / kernel[1]!)));
    const steps = range([height, width][axis]!).map((i) => i * strides![axis]! - pads[axis]!);
    const places = g.add(
      alongAxis(
        g,
        inKernel.map((k) => k * dilations![axis]!),
        2,
        5,
      ),
      alongAxis(g, steps, 3 + axis, 5),
    );
    return g.reshape(g.add(own, g.cast(places, own.dtype)), [n * offsetGroups, taps * height * width]);
  });
  const grouped = g.reshape(image!, [n * offsetGroups, channels / offsetGroups, ...sizes]);
  const zeros = { mode: "linear", padding: "zeros", alignCorners: true } as const;
  const columns = sampled(g, grouped, positions, zeros);
  const weighted = mask ? g.mul(columns, g.reshape(mask, [n * offsetGroups, 1, taps * height * width])) : columns;
  const matrix = g.reshape(weighted, [n, groups, perGroup * taps, height * width]);
  const filters = g.reshape(weight!, [1, groups, out / groups, perGroup * taps]);
  const result = g.reshape(g.matMul(filters, matrix), [n, out, height, width]);
  return [bias ? g.add(result, g.reshape(bias, [1, out, 1, 1])) : result];
};
