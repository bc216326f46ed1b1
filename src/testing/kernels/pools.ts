import { bool, float, i64, int, ints, type KernelCase, use, word } from "./case.ts";

const pool = (attributes: KernelCase["attributes"]): KernelCase =>
  use("LpPool", ["2 2 5 6"], { kernel_shape: ints(3, 2), ...attributes }, { not: (x) => Math.abs(x) < 0.05 });

const picked = i64([3, 8, 10, 15], [1, 1, 2, 2]);

/** Windows that rounding up would count behind the image, and outputs of transposed convolutions that are asked for. */
const windows: readonly KernelCase[] = [
  ...["MaxPool", "AveragePool"].map((op) =>
    use(op, ["2 4 5 6"], { kernel_shape: [2, 3], strides: [2, 2], ceil_mode: 1 }, { not: "inside" }),
  ),
  // Larger than what the windows cover, as large, smaller; and what a stride does not reach.
  ...[
    [11, 19],
    [10, 16],
    [8, 9],
  ].map((output_shape) => use("ConvTranspose", ["2 4 5 6", "4 2 2 2", "2"], { strides: [2, 3], output_shape })),
  ...["SAME_UPPER", "SAME_LOWER"].map((auto_pad) =>
    use("ConvTranspose", ["2 4 5 6", "4 2 1 2", "2"], { strides: [2, 3], auto_pad }),
  ),
];

/** Pools, their inverses, and normalisations of neighbourhoods. */
export const pools: readonly KernelCase[] = [
  ...windows,
  pool({}),
  pool({ p: int(1), strides: ints(2, 2), pads: ints(1, 0, 1, 1) }),
  pool({ p: int(3), dilations: ints(2, 1), auto_pad: word("VALID") }),
  pool({ strides: ints(2, 3), ceil_mode: int(1) }),
  pool({ strides: ints(2, 2), auto_pad: word("SAME_UPPER") }),
  use("GlobalLpPool", ["2 3 4 2"]),
  use("MaxPool", ["2 2 4 5"], { kernel_shape: ints(2, 2), storage_order: int(1) }, { outputs: [0, 1], not: "inside" }),
  use(
    "MaxPool",
    ["1 2 3 4 5"],
    { kernel_shape: ints(2, 2, 2), strides: ints(1, 2, 2), storage_order: int(1) },
    { outputs: [0, 1], not: "inside" },
  ),
  use("GlobalLpPool", ["2 3 4 2"], { p: int(3) }, { not: (x) => Math.abs(x) < 0.05 }),
  use("MaxUnpool", ["1 1 2 2", picked], { kernel_shape: ints(2, 2), strides: ints(2, 2) }),
  use("MaxUnpool", ["1 1 2 2", picked, i64([1, 1, 4, 4])], { kernel_shape: ints(2, 2), strides: ints(2, 2) }),
  use("Col2Im", ["2 18 4", i64([4, 4]), i64([3, 3])]),
  use("Col2Im", ["1 8 9", i64([5, 6]), i64([2, 2])], { strides: ints(2, 2), pads: ints(0, 0, 1, 0) }),
  use("Col2Im", ["1 12 4", i64([5, 5]), i64([2, 3])], { dilations: ints(2, 1), strides: ints(2, 2) }),

  use("LRN", ["2 5 3 2"], { size: int(3), alpha: float(0.3), beta: float(0.7), bias: float(1.5) }),
  use("LRN", ["2 4 3 2"], { size: int(5) }),
  use("MeanVarianceNormalization", ["2 3 4 5"]),
  use("MeanVarianceNormalization", ["2 3 4"], { axes: ints(1, 2) }),
  use("LayerNormalization", ["2 3 4", "4", "4"], {}, { outputs: [0, 1, 2] }),
  use("LayerNormalization", ["2 3 4", "3 4"], { axis: int(1), epsilon: float(0.1) }, { outputs: [0, 2] }),
  use("RMSNormalization", ["2 3 4", "4"], {}, { opset: 23 }),
  use("RMSNormalization", ["2 3 4", "3 4"], { axis: int(1), epsilon: float(0.1) }, { opset: 23 }),

  use("Swish", ["3 4"], { alpha: float(1.3) }, { opset: 24 }),
  use("Shrink", ["3 4"], { bias: float(0.2), lambd: float(0.7) }, { not: (x) => Math.abs(Math.abs(x) - 0.7) < 0.1 }),
  use("Hardmax", ["3 4"], {}, { not: "inside" }),
  use("Hardmax", ["2 3 2"], { axis: int(1) }, { opset: 12, not: "inside" }),
  use("Det", ["2 3 3"]),
  use("Det", ["1 1"]),
  use("Det", ["5 5"]),
  use("Where", [bool([1, 0, 1]), "2 3", "2 3"]),
];
