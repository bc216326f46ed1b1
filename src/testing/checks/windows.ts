import { product, range } from "../../graph/shapes.ts";
import type { Attributes } from "../../onnx/model.ts";
import type { Draw } from "../draw.ts";
import type { GradientCase } from "../gradcheck.ts";
import * as reference from "../reference.ts";
import { apply, type Checks } from "./check.ts";

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

/** As for convolutions; a stride may be followed by a row that no input reaches. */
const convTranspose = (draw: Draw): GradientCase => {
  const spatial = range(draw.int(1, 3));
  const strides = spatial.map(() => draw.int(1, 3));
  const dilations = spatial.map(() => draw.int(1, 2));
  const kernel = spatial.map(() => draw.int(2, spatial.length === 3 ? 2 : 3));
  const group = draw.int(1, 2);
  const [perGroup, outPerGroup] = spatial.length === 3 ? [1, 1] : [draw.int(1, 2), draw.int(1, 2)];
  const inputs = [
    draw.real([draw.int(1, 2), group * perGroup, ...spatial.map(() => draw.int(2, spatial.length === 1 ? 4 : 2))]),
    draw.real([group * perGroup, outPerGroup, ...kernel]),
  ];
  if (draw.bool()) inputs.push(draw.real([group * outPerGroup]));
  const output_padding = strides.map((stride) => draw.int(0, stride - 1));
  const pads = [...spatial, ...spatial].map(() => draw.int(0, 1));
  const attributes = { strides, dilations, pads, output_padding, group };
  return {
    ...apply("ConvTranspose", inputs, attributes),
    reference: (x, y) => reference.convTranspose(x, attributes, y.shape),
    rule64: false,
  };
};

/** Windows that overlap, leave gaps, hang over the end; padding never as wide as the kernel, which would leave it empty. */
function windows(draw: Draw): { readonly shape: readonly number[]; readonly attributes: Attributes } {
  const spatial = range(draw.int(1, 2));
  const kernel_shape = spatial.map(() => draw.int(1, 3));
  const strides = spatial.map(() => draw.int(1, 3));
  const dilations = spatial.map(() => draw.int(1, 2));
  const pads = [...spatial, ...spatial].map((i) => draw.int(0, kernel_shape[i]! - 1));
  const size = spatial.map((i) => dilations[i]! * (kernel_shape[i]! - 1) + 1 + draw.int(0, 3));
  const attributes = { kernel_shape, strides, dilations, pads, ceil_mode: draw.int(0, 1) };
  return { shape: [draw.int(1, 2), draw.int(1, 2), ...size], attributes };
}

const maxPool = (draw: Draw): GradientCase => {
  const { shape, attributes } = windows(draw);
  return apply("MaxPool", draw.distinct([shape]), attributes);
};

const averagePool = (draw: Draw): GradientCase => {
  const drawn = windows(draw);
  const attributes = { ...drawn.attributes, count_include_pad: draw.int(0, 1) };
  return {
    ...apply("AveragePool", [draw.real(drawn.shape)], attributes),
    reference: (x, y) => reference.averagePool(x, attributes, y.shape),
    rule64: false,
  };
};

export const windowed: Checks = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  AveragePool: averagePool,
};
