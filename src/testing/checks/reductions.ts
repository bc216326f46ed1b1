import type { CaseInput, Draw } from "../draw.ts";
import type { GradientCase } from "../gradcheck.ts";
import { apply, type Checks } from "./check.ts";

const reduction =
  (op: string, values: (draw: Draw, shape: readonly number[]) => CaseInput = (draw, shape) => draw.real(shape)) =>
  (draw: Draw): GradientCase => {
    const shape = draw.shape();
    return apply(op, [values(draw, shape)], { ...draw.axes(shape.length), keepdims: draw.int(0, 1) });
  };

const distinct = (draw: Draw, shape: readonly number[]): CaseInput => draw.distinct([shape])[0]!;

/** Which element is the largest changes nowhere near distinct values: times the input, so that there is a derivative. */
const argument =
  (op: string) =>
  (draw: Draw): GradientCase => {
    const shape = draw.shape({ minRank: 1 });
    const axis = draw.axis(shape.length);
    return {
      inputs: [distinct(draw, shape)],
      build: (g, [x]) => g.mul(g.cast(g.apply(op, [x!], { axis, keepdims: 1 })[0]!, x!.dtype), x!),
    };
  };

const topK = (draw: Draw): GradientCase => {
  const shape = draw.shape({ minRank: 1 });
  const axis = draw.axis(shape.length);
  const k = draw.int(1, shape.at(axis)!);
  return apply("TopK", [distinct(draw, shape)], { axis, k, largest: draw.int(0, 1), sorted: 1 });
};

/**
 * Values differ by a quarter at least: near a constant row the derivatives are steeper than the differences can follow.
 * In a float64 graph the statistics that the rule reads are float32 all the same, by ONNX's definition.
 */
const layerNormalization = (draw: Draw): GradientCase => {
  const shape = draw.shape({ minRank: 1, maxElements: 24 });
  const axis = draw.axis(shape.length);
  const affine = shape.slice(axis);
  const inputs = [...draw.distinct([shape], 0.25), draw.real(affine)];
  if (draw.bool()) inputs.push(draw.real(affine));
  return { ...apply("LayerNormalization", inputs, { axis, epsilon: draw.pick([1e-5, 1e-2]) }), rule64: false };
};

export const reductions: Checks = {
  ReduceSum: reduction("ReduceSum"),
  ReduceMean: reduction("ReduceMean"),
  ReduceMax: reduction("ReduceMax", distinct),
  ReduceMin: reduction("ReduceMin", distinct),
  ReduceL2: reduction("ReduceL2", (draw, shape) => draw.real(shape, { not: (x) => Math.abs(x) < 0.5 })),
  ArgMax: argument("ArgMax"),
  ArgMin: argument("ArgMin"),
  TopK: topK,
  LayerNormalization: layerNormalization,
};
