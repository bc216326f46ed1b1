import { mismatch, range } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/index.ts";

/** An axis before and after; `scale` is `to / from`, or what the file says it is. */
export interface Axis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** The part of the axis that is resized, of `tf_crop_and_resize`: from and to, as fractions of what lies between its ends. */
  readonly crop?: readonly [start: number, end: number];
}

/**
 * ONNX's `Resize` along one axis as a matrix; with scales, `align_corners` aligns the corners of the size that comes of them, as
 * ONNX Runtime does.
 * Source: https://onnx.ai/onnx/operators/onnx__Resize.html
 *
 * @returns [to, from], rows that add up to 1
 */
export function interpolation(axis: Axis, a: Attributes): Float32Array {
  const { from, to, scale } = axis;
  const matrix = new Float32Array(to * from);
  const mode = String(a.mode ?? "nearest");
  // Shrinking with antialiasing widens the filter, so that every element has its share.
  const width = a.antialias && mode !== "nearest" && scale < 1 ? 1 / scale : 1;
  for (const row of range(to)) {
    const centre = Math.fround(positionOf(row, axis, String(a.coordinate_transformation_mode ?? "half_pixel")));
    const taps = mode === "nearest" ? [nearest(centre, a)] : tapsAround(centre, mode === "cubic" ? 2 * width : width);
    const weights = taps.map((tap) => weightOf((tap - centre) / width, mode, Number(a.cubic_coeff_a ?? -0.75)));
    const outside = (tap: number): boolean => tap < 0 || tap >= from;
    const kept = weights.map((weight, i) => (a.exclude_outside && outside(taps[i]!) ? 0 : weight));
    const total = kept.reduce((p, q) => p + q, 0);
    for (const [i, tap] of taps.entries()) {
      const column = Math.min(Math.max(tap, 0), from - 1);
      matrix[row * from + column]! += kept[i]! / total;
    }
  }
  return matrix;
}

/** Which elements of a resized axis come from beyond the axis, where `tf_crop_and_resize` crops more than there is. */
export function beyond(axis: Axis): readonly boolean[] {
  return range(axis.to).map((row) => {
    const at = positionOf(row, axis, "tf_crop_and_resize");
    return at < 0 || at > axis.from - 1;
  });
}

/** Where an element comes from. */
function positionOf(x: number, { from, to, scale, crop: [start, end] = [0, 1] }: Axis, mode: string): number {
  switch (mode) {
    case "tf_crop_and_resize": {
      const last = from - 1;
      return to > 1 ? start * last + (x * (end - start) * last) / (to - 1) : 0.5 * (start + end) * last;
    }
    case "tf_half_pixel_for_nn":
      return (x + 0.5) / scale;
    case "half_pixel":
      return (x + 0.5) / scale - 0.5;
    case "pytorch_half_pixel":
      return to > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case "half_pixel_symmetric":
      return (from / 2) * (1 - to / (scale * from)) + (x + 0.5) / scale - 0.5;
    case "align_corners":
      return to === 1 ? 0 : (x * (from - 1)) / (to - 1);
    case "asymmetric":
      return x / scale;
    default:
      return mismatch(`coordinate_transformation_mode ${mode} is not supported`);
  }
}

function nearest(centre: number, a: Attributes): number {
  switch (a.nearest_mode ?? "round_prefer_floor") {
    case "round_prefer_floor":
      return Math.ceil(centre - 0.5);
    case "round_prefer_ceil":
      return Math.floor(centre + 0.5);
    case "floor":
      return Math.floor(centre);
    default:
      return Math.ceil(centre);
  }
}

/** Elements nearer to the centre than the filter reaches. */
function tapsAround(centre: number, reach: number): readonly number[] {
  const first = Math.floor(centre - reach) + 1;
  return range(Math.ceil(centre + reach) - first).map((i) => first + i);
}

function weightOf(distance: number, mode: string, a: number): number {
  const d = Math.abs(distance);
  if (mode === "nearest") return 1;
  if (mode !== "cubic") return Math.max(0, 1 - d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}
