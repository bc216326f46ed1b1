import type { Graph, Value } from "../../graph/index.ts";
import { axisIn, mismatch } from "../../graph/index.ts";
import { type Composites, number } from "./use.ts";

/**
 * ONNX Runtime's own operators for devices other than the CPU, which optimised exports of diffusion models and transformers hold.
 * Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export const diffusion: Composites = {
  // Statistics and sums of channels that come last, unless channels_last is 0; SiLU behind them where activation is 1.
  "com.microsoft:GroupNorm": ({ g, x: [x, gamma, beta], a }) => {
    const isLast = number(a, "channels_last", 1) === 1;
    const image = isLast ? g.transpose(x!, [0, 3, 1, 2]) : x!;
    const [n, channels] = image.shape as [number, number];
    const groups = number(a, "groups", 1);
    if (channels % groups !== 0) mismatch(`${channels} channels do not make ${groups} groups`);
    const rows = g.reshape(image, [n, groups, -1]);
    const over = { axes: [2], keepDims: true };
    const deviation = g.sub(rows, g.reduceMean(rows, over));
    const variance = g.reduceMean(g.mul(deviation, deviation), over);
    const normalized = g.div(deviation, g.sqrt(g.add(variance, number(a, "epsilon", 1e-5))));
    const channelWise = (value: Value): Value => g.reshape(value, [1, channels, 1, 1]);
    const scaled = g.add(g.mul(g.reshape(normalized, image.shape), channelWise(gamma!)), channelWise(beta!));
    const result = a.activation === 1 ? g.swish(scaled) : scaled;
    return [isLast ? g.transpose(result, [0, 2, 3, 1]) : result];
  },
  "com.microsoft:BiasAdd": ({ g, x: [x, bias, skip] }) => [g.add(g.add(x!, bias!), skip!)],
  // The left half times the GELU of the right one.
  "com.microsoft:BiasSplitGelu": ({ g, x: [x, bias] }) => {
    const half = x!.shape.at(-1)! / 2;
    const [left, right] = g.split(g.add(x!, bias!), [half, half], x!.rank - 1);
    return [g.mul(left!, g.gelu(right!))];
  },
  "com.microsoft:BiasSoftmax": ({ g, x: [x, bias], a }) => [
    softmaxFrom(g, g.add(x!, bias!), axisIn(number(a, "axis", 1), x!.rank)),
  ],
};

/** Softmax over all axes from one on, taken together. */
function softmaxFrom(g: Graph, x: Value, axis: number): Value {
  return axis === x.rank - 1 ? g.softmax(x) : g.reshape(g.softmax(g.flatten(x, axis)), x.shape);
}
