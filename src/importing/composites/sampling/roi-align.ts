import type { Graph, Value } from "../../../graph/index.ts";
import { mismatch, range } from "../../../graph/index.ts";
import { type Composite, known, number } from "../use.ts";
import { alongAxis } from "./sample.ts";

/** Where the samples of regions lie along one axis: the pixels before and behind, and their shares, [R, out, samples] each. */
interface Sides {
  readonly indices: readonly [low: Value, high: Value];
  readonly weights: readonly [low: Value, high: Value];
}

/**
 * Means or maxima over regions of images: image [N, C, H, W], regions [R, 4] as x and y of two corners, and the image that each
 * is of, [R].
 * Source: https://arxiv.org/abs/1703.06870, and ONNX Runtime, whose maximum is over the weighted corners of every sample.
 */
export const roiAlign: Composite = ({ g, x: [image, rois, images], a }) => {
  const samples = number(a, "sampling_ratio", 0);
  const regions = rois!.shape[0]!;
  if (samples > 0) return [aligned(g, image!, rois!, images!, a, [samples, samples])];
  // As many samples as a bin has pixels. That is known only if the regions are.
  const corners = known(rois!, "how many samples a region takes (sampling_ratio 0)");
  const parts = range(regions).map((r) => {
    const own = (value: Value): Value => g.slice(value, { starts: [r], ends: [r + 1], axes: [0] });
    const [left, top, right, bottom] = corners.slice(4 * r, 4 * r + 4) as [number, number, number, number];
    const counts = [bottom - top, right - left].map((length, axis) => {
      const scaled = length * number(a, "spatial_scale", 1);
      const least = a.coordinate_transformation_mode === "output_half_pixel" ? Math.max(scaled, 1) : scaled;
      return Math.ceil(least / outputSize(a, axis));
    });
    return aligned(g, image!, own(rois!), own(images!), a, counts as [number, number]);
  });
  return [g.concat(parts, 0)];
};

const outputSize = (a: Parameters<Composite>[0]["a"], axis: number): number =>
  number(a, axis ? "output_width" : "output_height", 1);

function aligned(
  g: Graph,
  image: Value,
  rois: Value,
  images: Value,
  a: Parameters<Composite>[0]["a"],
  samples: readonly [number, number],
): Value {
  const [, channels, height, width] = image.shape as [number, number, number, number];
  const regions = rois.shape[0]!;
  const [left, top, right, bottom] = g.split(rois, [1, 1, 1, 1], 1) as [Value, Value, Value, Value];
  const rows = sidesOf(g, [top, bottom], height, samples[0], 0, a);
  const columns = sidesOf(g, [left, right], width, samples[1], 1, a);
  // Every pixel of every image as a row of its channels.
  const pixels = g.reshape(g.transpose(image, [0, 2, 3, 1]), [-1, channels]);
  const first = g.reshape(g.mul(g.cast(images, "int64"), height * width), [-1, 1, 1, 1, 1]);
  const corners = range(4).map((corner) => {
    const [i, j] = [corner >> 1, corner & 1] as const;
    const row = g.unsqueeze(g.cast(rows.indices[i]!, "int64"), [3, 4]);
    const column = g.unsqueeze(g.cast(columns.indices[j]!, "int64"), [1, 2]);
    const share = g.mul(g.unsqueeze(rows.weights[i]!, [3, 4]), g.unsqueeze(columns.weights[j]!, [1, 2]));
    const values = g.gather(pixels, g.add(first, g.add(g.mul(row, width), column)), 0);
    return g.mul(values, g.unsqueeze(share, [5]));
  });
  const over = { axes: [2, 4] };
  const result = a.mode === "max" ? g.reduceMax(g.max(...corners), over) : g.reduceMean(corners.reduce(g.add), over);
  if (regions === 0) mismatch("needs a region");
  return g.transpose(result, [0, 3, 1, 2]);
}

function sidesOf(
  g: Graph,
  [start, end]: readonly [Value, Value],
  size: number,
  samples: number,
  axis: number,
  a: Parameters<Composite>[0]["a"],
): Sides {
  const scale = number(a, "spatial_scale", 1);
  const isOld = a.coordinate_transformation_mode === "output_half_pixel";
  const from = isOld ? g.mul(start, scale) : g.sub(g.mul(start, scale), 0.5);
  const extent = g.mul(g.sub(end, start), scale);
  const length = isOld ? g.max(extent, 1) : extent;
  const bins = outputSize(a, axis);
  const fractions = range(bins * samples).map(
    (i) => (Math.floor(i / samples) + ((i % samples) + 0.5) / samples) / bins,
  );
  const places = g.reshape(alongAxis(g, fractions, 1, 2), [1, bins, samples]);
  const position = g.add(g.reshape(from, [-1, 1, 1]), g.mul(g.reshape(length, [-1, 1, 1]), g.cast(places, from.dtype)));
  // Samples more than a pixel outside the image are 0. Nearer ones take the outermost pixel.
  const isNear = g.and(g.greaterOrEqual(position, -1), g.lessOrEqual(position, size));
  const inside = g.max(position, 0);
  const low = g.min(g.floor(inside), size - 1);
  const isLast = g.greaterOrEqual(low, size - 1);
  const high = g.min(g.add(low, 1), size - 1);
  const rest = g.where(isLast, 0, g.sub(inside, low));
  const near = g.cast(isNear, position.dtype);
  return { indices: [low, high], weights: [g.mul(g.sub(1, rest), near), g.mul(rest, near)] };
}
