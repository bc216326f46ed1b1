import type { Graph, Value } from "../../graph/index.ts";
import { mismatch, range } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/index.ts";
import { activations } from "./activations.ts";
import { rootMeanSquareNormalized } from "./normalization.ts";
import { type Composites, number, type Use } from "./use.ts";

/**
 * ONNX Runtime's own operators, which optimised exports contain.
 * Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export const contrib: Composites = {
  "com.microsoft:QuickGelu": ({ g, x: [x], a }) => [g.swish(x!, number(a, "alpha", 1.702))],
  "com.microsoft:Gelu": ({ g, x: [x] }) => [g.gelu(x!)],
  "com.microsoft:BiasGelu": ({ g, x: [x, bias] }) => [g.gelu(g.add(x!, bias!))],
  "com.microsoft:FastGelu": ({ g, x: [x, bias] }) => [g.gelu(bias ? g.add(x!, bias) : x!, "tanh")],
  "com.microsoft:FusedMatMul": ({ g, x: [left, right], a }) => {
    if (a.transBatchA || a.transBatchB) mismatch("transBatchA and transBatchB are not supported");
    const result = g.matMul(a.transA ? g.swap(left!) : left!, a.transB ? g.swap(right!) : right!);
    const alpha = number(a, "alpha", 1);
    return [alpha === 1 ? result : g.mul(result, alpha)];
  },
  "com.microsoft:FusedGemm": ({ g, x, a }) => {
    const { activation, activation_alpha, activation_beta, ...attributes } = a;
    const operands = x.filter((value) => value !== undefined);
    const [result] = g.apply("Gemm", operands, attributes);
    return [activated(g, result!, activation, [activation_alpha, activation_beta])];
  },
  "com.microsoft:FusedConv": ({ g, x: [image, weight, bias, added], a }) => [
    fusedConvolution(g, [image!, weight!, bias, added], a),
  ],
  // The image and the added tensor have their channels last. The weight has ONNX's order.
  "com.microsoft:NhwcFusedConv": ({ g, x: [image, weight, bias, added], a }) => {
    const first = (value: Value): Value => g.transpose(value, [0, value.rank - 1, ...range(value.rank - 1).slice(1)]);
    const result = fusedConvolution(g, [first(image!), weight!, bias, added && first(added)], a);
    return [g.transpose(result, [0, ...range(result.rank).slice(2), 1])];
  },
  "com.microsoft:SkipLayerNormalization": (use) => {
    const { g, x, a } = use;
    const [, , scale, shift] = x;
    const sum = skipped(use);
    const normalized = g.layerNormalization(sum, scale!, shift, { epsilon: number(a, "epsilon", 1e-12) });
    return [normalized, sum, sum, sum];
  },
  "com.microsoft:SkipSimplifiedLayerNormalization": (use) => {
    const { g, x, a } = use;
    const sum = skipped({ ...use, x: [x[0], x[1], x[2], undefined, x[3]] });
    const normalized = rootMeanSquareNormalized(g, sum, -1, number(a, "epsilon", 1e-12));
    return [g.mul(normalized, x[2]!), sum, sum, sum];
  },
};

/** A convolution, an added tensor, and an activation of the sum. */
function fusedConvolution(
  g: Graph,
  [image, weight, bias, added]: readonly [Value, Value, Value | undefined, Value | undefined],
  { activation, activation_params, ...attributes }: Attributes,
): Value {
  const [result] = g.apply("Conv", bias ? [image, weight, bias] : [image, weight], attributes);
  const sum = added ? g.add(result!, added) : result!;
  return activated(g, sum, activation, (activation_params as readonly number[] | undefined) ?? []);
}

/** Sum of input, skip connection and bias. The statistics among the outputs are not computed, as only training reads them. */
function skipped({ g, x: [x, skip, , , bias] }: Use): Value {
  const sum = g.add(x!, skip!);
  return bias ? g.add(sum, bias) : sum;
}

function activated(
  g: Graph,
  x: Value,
  name: Attributes[string] | undefined,
  [first, second]: readonly (Attributes[string] | undefined)[],
): Value {
  const a: Attributes = { ...(first !== undefined && { alpha: first }), ...(second !== undefined && { beta: second }) };
  switch (name) {
    case undefined:
      return x;
    case "Relu":
    case "Sigmoid":
    case "Tanh":
      return g.apply(name, [x])[0]!;
    case "Clip":
      return g.apply("Clip", [x], {
        ...(first !== undefined && { min: first }),
        ...(second !== undefined && { max: second }),
      })[0]!;
    case "LeakyRelu":
    case "HardSigmoid":
    case "HardSwish":
      return activations[name]!({ g, x: [x], a })[0]!;
    default:
      return mismatch(`the activation ${name} is not supported`);
  }
}
