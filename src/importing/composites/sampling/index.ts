import { mismatch, product, range } from "../../../graph/index.ts";
import { constantShape } from "../../limits.ts";
import type { Composite, Composites } from "../use.ts";
import { deformableConvolution } from "./deform.ts";
import { roiAlign } from "./roi-align.ts";
import { type Sampling, sampled } from "./sample.ts";

/** Image [N, C, ...sizes], grid [N, ...out, axes]: positions from -1 to 1 over the image, the last axis first. */
const gridSample: Composite = ({ g, x: [image, grid], a }) => {
  const sizes = image!.shape.slice(2);
  const [n, ...out] = grid!.shape.slice(0, -1) as [number, ...number[]];
  const sampling: Sampling = {
    mode: (a.mode as Sampling["mode"] | undefined) ?? "linear",
    padding: (a.padding_mode as Sampling["padding"] | undefined) ?? "zeros",
    alignCorners: a.align_corners === 1,
  };
  if (sampling.mode === "cubic" && sizes.length !== 2) mismatch("cubic interpolation is of two axes only");
  const rows = g.reshape(grid!, [n, product(out), sizes.length]);
  const positions = sizes.map((size, axis) => {
    const last = sizes.length - 1 - axis;
    const at = g.squeeze(g.slice(rows, { starts: [last], ends: [last + 1], axes: [2] }), [2]);
    const shifted = g.add(at, 1);
    return sampling.alignCorners ? g.mul(shifted, (size - 1) / 2) : g.sub(g.mul(shifted, size / 2), 0.5);
  });
  return [g.reshape(sampled(g, image!, positions, sampling), [n, image!.shape[1]!, ...out])];
};

/** Positions of an image of `size` [N, C, ...] from -1 to 1, moved by matrices theta [N, axes, axes + 1]. */
const affineGrid: Composite = ({ g, x: [theta], a }) => {
  const [n, , ...sizes] = a.size as readonly number[];
  const rank = sizes.length;
  const count = product(constantShape(g, [...sizes, rank + 1])) / (rank + 1);
  const at = (i: number, size: number): number =>
    a.align_corners ? (size > 1 ? (2 * i) / (size - 1) - 1 : 0) : (2 * i + 1) / size - 1;
  const points = range(count).flatMap((flat) => {
    let rest = flat;
    const place = sizes.map(() => 0);
    for (let axis = rank - 1; axis >= 0; axis--) {
      place[axis] = at(rest % sizes[axis]!, sizes[axis]!);
      rest = Math.floor(rest / sizes[axis]!);
    }
    return [...place.reverse(), 1];
  });
  const base = g.constant({ dtype: "float32", shape: [count, rank + 1], data: Float32Array.from(points) });
  return [g.reshape(g.matMul(g.cast(base, theta!.dtype), g.swap(theta!)), [n!, ...sizes, rank])];
};

/** Operators that read images between their pixels. */
export const samplings: Composites = {
  GridSample: gridSample,
  AffineGrid: affineGrid,
  RoiAlign: roiAlign,
  DeformConv: deformableConvolution,
};
