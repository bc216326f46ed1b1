import { product, range } from "../../graph/shapes.ts";
import type { Draw } from "../draw.ts";
import type { GradientCase } from "../gradcheck.ts";
import * as reference from "../reference.ts";
import { apply, type Checks } from "./check.ts";

/** Vectors and matrices on either side, with batches that broadcast. */
const matMul = (draw: Draw): GradientCase => {
  const [m, k, n] = [draw.int(1, 4), draw.int(1, 4), draw.int(1, 4)];
  const [batchA, batchB] = draw.broadcasting(2, { maxRank: 2, maxSize: 3 });
  const a = draw.int(0, 3) === 0 ? [k] : [...batchA!, m, k];
  const b = draw.int(0, 3) === 0 ? [k] : [...batchB!, k, n];
  return apply("MatMul", [draw.real(a), draw.real(b)]);
};

/** Factors are dyadic, since ONNX keeps them in float32. */
const gemm = (draw: Draw): GradientCase => {
  const [m, k, n] = [draw.int(1, 4), draw.int(1, 4), draw.int(1, 4)];
  const [transA, transB] = [draw.int(0, 1), draw.int(0, 1)];
  const inputs = [draw.real(transA ? [k, m] : [m, k]), draw.real(transB ? [n, k] : [k, n])];
  const bias = draw.pick([undefined, [], [1], [n], [1, n], [m, 1], [1, 1], [m, n]]);
  if (bias) inputs.push(draw.real(bias));
  const factors = [1, 0.5, -1.25, 2];
  return apply("Gemm", inputs, { alpha: draw.pick(factors), beta: draw.pick([...factors, 0]), transA, transB });
};

/** One to three spatial axes, each with its own stride (dividing or not), pads (each side its own) and dilation. */
const conv = (draw: Draw): GradientCase => {
  const spatial = range(draw.int(1, 3));
  const kernel = spatial.map(() => draw.int(1, spatial.length === 3 ? 2 : 3));
  const dilations = spatial.map(() => draw.int(1, 2));
  const strides = spatial.map(() => draw.int(1, 3));
  const pads = [...spatial, ...spatial].map(() => draw.int(0, 2));
  const size = spatial.map((i) => {
    const reach = dilations[i]! * (kernel[i]! - 1) + 1;
    return Math.max(1, reach - pads[i]! - pads[i + spatial.length]!) + draw.int(0, [5, 3, 1][spatial.length - 1]!);
  });
  const group = draw.int(1, 3);
  const [perGroup, outPerGroup] = product(size) > 16 ? [1, 1] : [draw.int(1, 2), draw.int(1, 2)];
  const inputs = [
    draw.real([draw.int(1, 2), group * perGroup, ...size]),
    draw.real([group * outPerGroup, perGroup, ...kernel]),
  ];
  if (draw.bool()) inputs.push(draw.real([group * outPerGroup]));
  const attributes = { strides, dilations, pads, group };
  return {
    ...apply("Conv", inputs, attributes),
    reference: (x, y) => reference.conv(x, attributes, y.shape),
    rule64: false,
  };
};

export const products: Checks = { MatMul: matMul, Gemm: gemm, Conv: conv };
