import type { Graph, Value } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/model.ts";
import type { CaseInput, Draw, RealOptions, ShapeOptions } from "../draw.ts";
import type { GradientCase } from "../gradcheck.ts";

/** Random cases of one operator, by the operator's name. */
export type Checks = Readonly<Record<string, (draw: Draw) => GradientCase>>;

/** One operator applied to all the inputs. */
export function apply(op: string, inputs: readonly CaseInput[], attributes?: Attributes): GradientCase {
  return { inputs, build: (g, x) => g.apply(op, x, attributes)[0]! };
}

/** An element-wise operator of one operand of any shape. */
export const unary =
  (op: string, values: RealOptions = {}, attributes?: Attributes) =>
  (draw: Draw): GradientCase =>
    apply(op, [draw.real(draw.shape(), values)], attributes);

/** An operator of one float input, its attributes drawn to fit the input. */
export const onShape =
  (op: string, attributes: (draw: Draw, shape: readonly number[]) => Attributes, options?: ShapeOptions) =>
  (draw: Draw): GradientCase => {
    const shape = draw.shape(options);
    return apply(op, [draw.real(shape)], attributes(draw, shape));
  };

/** An operator whose derivative is zero, times something whose derivative is not. */
export const flat =
  (values: RealOptions, f: (g: Graph, x: Value) => Value) =>
  (draw: Draw): GradientCase => ({
    inputs: [draw.real(draw.shape({ minRank: 1 }), values)],
    build: (g, [x]) => g.mul(g.cast(f(g, x!), x!.dtype), x!),
  });
