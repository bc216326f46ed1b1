import type { Graph, Value } from "../../graph/index.ts";
import { countedAlike, poolAttributes, range } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/index.ts";
import type { Composites } from "./use.ts";

/** Pools as kernels run them, where rounding up the number of windows would count one behind the image. */
export const windowPools: Composites = {
  MaxPool: ({ g, x: [x], a: { storage_order, ...a } }) => {
    const { image, attributes } = cropped(g, x!, a);
    const [values, places] = g.apply("MaxPool", [image], attributes);
    const size = x!.shape.slice(2);
    if (!storage_order && image === x) return [values!, places!];
    const strides = storage_order ? columnMajor(size) : rowMajor(size);
    return [values!, placesIn(g, places!, image.shape.slice(2), strides, size)];
  },
  AveragePool: ({ g, x: [x], a }) => {
    const { image, attributes } = cropped(g, x!, a);
    return g.apply("AveragePool", [image], attributes);
  },
};

/** The image cropped to what the windows see, where that is necessary, and the matching attributes. */
function cropped(g: Graph, x: Value, a: Attributes): { readonly image: Value; readonly attributes: Attributes } {
  const size = x.shape.slice(2);
  const { cut, attributes } = countedAlike(size, poolAttributes({ ceil_mode: 0, ...a }, x));
  if (cut.every((pixels) => pixels === 0)) return { image: x, attributes };
  const ends = size.map((length, axis) => length - cut[axis]!);
  const axes = range(size.length).map((axis) => axis + 2);
  return { image: g.slice(x, { starts: size.map(() => 0), ends, axes }), attributes };
}

const rowMajor = (size: readonly number[]): readonly number[] =>
  size.map((_, axis) => size.slice(axis + 1).reduce((p, q) => p * q, 1));

const columnMajor = (size: readonly number[]): readonly number[] =>
  size.map((_, axis) => size.slice(0, axis).reduce((p, q) => p * q, 1));

/** Places in the flattened image [N, C, ...from], in row-major order, as places in one of [N, C, ...size] whose axes have these strides. */
function placesIn(
  g: Graph,
  places: Value,
  from: readonly number[],
  strides: readonly number[],
  size: readonly number[],
): Value {
  const integer = (value: number): Value => g.scalar(value, "int64");
  const plane = from.reduce((p, q) => p * q, 1);
  const old = rowMajor(from);
  const planes = g.mul(g.div(places, integer(plane)), integer(size.reduce((p, q) => p * q, 1)));
  return from
    .map((length, axis) => {
      const along = g.apply("Mod", [g.div(places, integer(old[axis]!)), integer(length)])[0]!;
      return g.mul(along, integer(strides[axis]!));
    })
    .reduce((sum, part) => g.add(sum, part), planes);
}
