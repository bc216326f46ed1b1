import { erf } from "../reference.ts";
import { float, int, type KernelCase, use, word } from "./case.ts";
import * as reference from "./reference.ts";

const gelu = (x: number): number => 0.5 * x * (1 + erf(x * Math.SQRT1_2));

const convolution = { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group: 1 };

/** ONNX Runtime's operators that it fuses others to. */
export const fused: readonly KernelCase[] = [
  ...["QuickGelu", "Gelu", "FastGelu"].map((op) => use(`com.microsoft:${op}`, ["3 4"])),
  ...["BiasGelu", "FastGelu"].map((op) => use(`com.microsoft:${op}`, ["3 4", "4"])),
  use("com.microsoft:FusedMatMul", ["2 3 4", "2 5 3"], { alpha: 0.5, transA: 1, transB: 1 }),
  use("com.microsoft:FusedGemm", ["3 4", "5 4", "5"], { transB: 1, activation: "Tanh" }),
  ...[
    { activation: "Relu" },
    { activation: "Clip", activation_params: [-1, 1.5] },
    { activation: "LeakyRelu", activation_params: [0.1] },
    { activation: "HardSigmoid", activation_params: [0.2, 0.5] },
  ].map((activation) =>
    use("com.microsoft:FusedConv", ["1 2 5 5", "3 2 3 3", "3"], { ...convolution, ...activation }, { not: "inside" }),
  ),
  use("com.microsoft:SkipLayerNormalization", ["1 3 4", "1 3 4", "4", "4", "4"], { epsilon: 1e-5 }),
  use("com.microsoft:SkipSimplifiedLayerNormalization", ["1 3 4", "1 3 4", "4", "4"], { epsilon: 1e-5 }),
];

/** ONNX Runtime's operators that it has no kernels for on CPU: against their definitions. */
export const contrib: readonly KernelCase[] = [
  ...[0, 1].map((activation) =>
    use(
      "com.microsoft:GroupNorm",
      ["2 2 3 4", "4", "4"],
      { groups: int(2), activation: int(activation), epsilon: float(0.01) },
      { reference: (x) => [reference.groupNorm(x, [2, 6, 4], { groups: 2, epsilon: 0.01, silu: activation === 1 })] },
    ),
  ),
  // With channels first, of images of one pixel the numbers lie the same way.
  use(
    "com.microsoft:GroupNorm",
    ["2 6 1 1", "6", "6"],
    { groups: int(2), channels_last: int(0), activation: int(0) },
    { reference: (x) => [reference.groupNorm(x, [2, 1, 6], { groups: 2, epsilon: 1e-5, silu: false })] },
  ),
  use(
    "com.microsoft:BiasAdd",
    ["2 3 4", "4", "2 3 4"],
    {},
    {
      reference: ([x, bias, skip]) => [Array.from(x!, (value, i) => value + bias![i % 4]! + skip![i]!)],
    },
  ),
  use(
    "com.microsoft:BiasSplitGelu",
    ["2 3 4", "4"],
    {},
    {
      reference: ([x, bias]) => {
        const sums = Array.from(x!, (value, i) => value + bias![i % 4]!);
        return [sums.flatMap((left, i) => (i % 4 < 2 ? [left * gelu(sums[i + 2]!)] : []))];
      },
    },
  ),
  use(
    "com.microsoft:BiasSoftmax",
    ["2 3 4", "3 4"],
    { axis: int(2), is_inner_broadcast: int(0) },
    {
      reference: ([x, bias]) => [
        reference.softmaxRows(
          Array.from(x!, (value, i) => value + bias![i % 12]!),
          4,
        ),
      ],
    },
  ),
  use(
    "com.microsoft:BiasSoftmax",
    ["2 2 3", "2 1 3"],
    { axis: int(1), is_inner_broadcast: int(1) },
    {
      reference: ([x, bias]) => [
        reference.softmaxRows(
          Array.from(x!, (value, i) => value + bias![3 * Math.floor(i / 6) + (i % 3)]!),
          6,
        ),
      ],
    },
  ),
  use(
    "com.microsoft:NhwcFusedConv",
    ["1 4 5 2", "3 2 2 3", "3", "1 3 3 3"],
    { activation: word("Tanh") },
    {
      reference: ([x, weight, bias, added]) => [
        reference
          .convolutionOfLast(x!, weight!, [4, 5, 2], [3, 2, 3])
          .map((value, i) => Math.tanh(value + bias![i % 3]! + added![i]!)),
      ],
    },
  ),
];
