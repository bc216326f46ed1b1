import { mismatch } from "../../graph/errors.ts";
import type { Graph, Value } from "../../graph/index.ts";
import { axisIn, range } from "../../graph/shapes.ts";
import type { Attributes } from "../../onnx/model.ts";
import { interpolation } from "./interpolation.ts";
import type { Composites } from "./use.ts";

/** Interpolation is linear in the image and goes axis by axis: a product with a matrix that is known for each. */
export const resizes: Composites = {
  Resize: ({ g, x: [x], a }) => {
    if ((a.keep_aspect_ratio_policy ?? "stretch") !== "stretch")
      mismatch(`keep_aspect_ratio_policy ${a.keep_aspect_ratio_policy} is not supported`);
    const axes = (a.axes as readonly number[] | undefined) ?? range(x!.rank);
    const resized = axes
      .map((axis) => axisIn(axis, x!.rank))
      .reduce((value, axis, i) => {
        const matrix = matrixOf(g, value.shape[axis]!, a, i);
        return matrix ? along(g, matrix, value, axis) : value;
      }, x!);
    return [resized];
  },
};

/** The matrix of an axis, [to, from]; undefined where the axis stays as it is. */
function matrixOf(g: Graph, from: number, a: Attributes, i: number): Value | undefined {
  const [sizes, scales] = [a.sizes, a.scales] as readonly (readonly number[] | undefined)[];
  const scale = scales ? Math.fround(scales[i]!) : Math.fround(sizes![i]! / from);
  const to = sizes ? sizes[i]! : Math.floor(from * scale);
  if (to === from && scale === 1) return undefined;
  const data = interpolation({ from, to, scale }, a);
  return g.constant({ dtype: "float32", shape: [to, from], data });
}

function along(g: Graph, matrix: Value, x: Value, axis: number): Value {
  if (axis === x.rank - 1) return g.matMul(x, g.swap(matrix));
  if (axis === x.rank - 2) return g.matMul(matrix, x);
  return g.swap(g.matMul(g.swap(x, axis, -1), g.swap(matrix)), axis, -1);
}
