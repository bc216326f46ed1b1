import type { Graph, Value } from "../../graph/index.ts";
import { axisIn, mismatch, range } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/index.ts";
import { constantShape } from "../limits.ts";
import { type Axis, beyond, interpolation } from "./interpolation.ts";
import { type Composites, number } from "./use.ts";

/** Interpolation is linear in the image and goes axis by axis: a product with a matrix that is known for each. */
export const resizes: Composites = {
  Resize: ({ g, x: [x], a }) => {
    const axes = ((a.axes as readonly number[] | undefined) ?? range(x!.rank)).map((axis) => axisIn(axis, x!.rank));
    const changes = changesOf(x!, axes, a);
    const long = changes.find(({ to }) => !(to >= 0 && to <= longest));
    if (long) mismatch(`it makes an axis of ${long.to} elements, of 0 to ${longest}`);
    const resized = axes.reduce((value, axis, i) => {
      const change = changes[i]!;
      const stays = change.to === change.from && change.scale === 1 && !change.crop;
      if (stays) return value;
      const shape = constantShape(g, [change.to, change.from]);
      return along(g, g.constant({ dtype: "float32", shape, data: interpolation(change, a) }), value, axis);
    }, x!);
    return [a.coordinate_transformation_mode === "tf_crop_and_resize" ? filled(g, resized, axes, changes, a) : resized];
  },
};

/** Maximum size of a resized axis. Every element takes a row of a matrix, which costs time. */
const longest = 65_536;

/** The change of each axis. */
function changesOf(x: Value, axes: readonly number[], a: Attributes): readonly Axis[] {
  const [sizes, scales, roi] = [a.sizes, a.scales, a.roi] as readonly (readonly number[] | undefined)[];
  const crops = a.coordinate_transformation_mode === "tf_crop_and_resize";
  if (crops && roi?.length !== 2 * axes.length) mismatch("tf_crop_and_resize needs a region of all axes");
  const from = axes.map((axis) => x.shape[axis]!);
  const common = sizes && commonScale(from, sizes, String(a.keep_aspect_ratio_policy ?? "stretch"));
  return from.map((length, i): Axis => {
    const crop = crops ? { crop: [roi![i]!, roi![i + axes.length]!] as const } : {};
    if (common !== undefined) {
      const scale = Math.fround(common);
      return { from: length, to: Math.floor(scale * length + 0.5), scale, ...crop };
    }
    const scale = Math.fround(scales ? scales[i]! : sizes![i]! / length);
    const to = sizes ? sizes[i]! : Math.floor(length * scale);
    // ONNX and ONNX Runtime disagree on whether the region counts there.
    const part = crop.crop ? Math.fround(crop.crop[1] - crop.crop[0]) : 1;
    if (!sizes && Math.floor(length * scale * part) !== to)
      mismatch("tf_crop_and_resize with scales is not supported: give sizes");
    return { from: length, to, scale, ...crop };
  });
}

/** The scale that all axes have where their proportions stay: undefined where they need not. */
function commonScale(from: readonly number[], sizes: readonly number[], policy: string): number | undefined {
  const scales = sizes.map((size, i) => size / from[i]!);
  if (policy === "not_larger") return Math.min(...scales);
  return policy === "not_smaller" ? Math.max(...scales) : undefined;
}

/** Fills places outside the image with one number. */
function filled(g: Graph, x: Value, axes: readonly number[], changes: readonly Axis[], a: Attributes): Value {
  const outside = axes.flatMap((axis, i) => {
    const places = beyond(changes[i]!);
    if (!places.includes(true)) return [];
    const shape = x.shape.map((size, at) => (at === axis ? size : 1));
    return [g.constant({ dtype: "bool", shape, data: Uint8Array.from(places, Number) })];
  });
  if (outside.length === 0) return x;
  const any = outside.reduce((p, q) => g.apply("Or", [p, q])[0]!);
  return g.where(any, number(a, "extrapolation_value", 0), x);
}

function along(g: Graph, matrix: Value, x: Value, axis: number): Value {
  const m = g.cast(matrix, x.dtype);
  if (axis === x.rank - 1) return g.matMul(x, g.swap(m));
  if (axis === x.rank - 2) return g.matMul(m, x);
  return g.swap(g.matMul(g.swap(x, axis, -1), g.swap(m)), axis, -1);
}
