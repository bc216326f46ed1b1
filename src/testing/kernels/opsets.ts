import { float, int, ints, type KernelCase, use, word } from "./case.ts";

/** Sum over rows of three of the second operand, aligned with axis 1 of [2, 3, 4]. */
const alignedSum = (a: Float64Array, b: Float64Array): readonly number[] =>
  Array.from(a, (value, i) => value + b[Math.floor(i / 4) % 3]!);

const six = { opset: 6 };

/** Opsets 5 and 6, of which ONNX Runtime has kernels for the operators that stayed what they were. */
export const opsets: readonly KernelCase[] = [
  use("Relu", ["2 3"], {}, { ...six, not: (x) => Math.abs(x) < 0.1 }),
  use("MatMul", ["2 3", "3 4"], {}, { opset: 5 }),
  use("Clip", ["2 3"], { min: float(-1), max: float(1) }, { ...six, not: (x) => Math.abs(Math.abs(x) - 1) < 0.1 }),
  use("Pad", ["1 3"], { pads: ints(0, 1, 0, 2) }, { opset: 5 }),
  use("Softmax", ["2 3 2"], {}, { opset: 5 }),
  use("Softplus", ["2 3"], {}, { opset: 1 }),
  use("Reshape", ["2 3"], { shape: ints(3, -1) }, { opset: 1 }),
  use("Concat", ["2 3", "2 3"], { axis: int(1) }, { opset: 4 }),
  use("Max", ["2 3", "2 3"], {}, { ...six, not: "inside" }),
  use("Conv", ["1 2 5 5", "3 2 3 3"], { strides: ints(2, 2) }, { opset: 5 }),
  // Kernels for these begin with opset 7.
  use(
    "Add",
    ["2 3 4", "3"],
    { axis: int(1), broadcast: int(1) },
    {
      ...six,
      reference: ([a, b]) => [alignedSum(a!, b!)],
    },
  ),
  use(
    "Add",
    ["2 3 4", "4"],
    { broadcast: int(1) },
    {
      ...six,
      reference: ([a, b]) => [Array.from(a!, (value, i) => value + b![i % 4]!)],
    },
  ),
  use(
    "PRelu",
    ["2 3 4", "3"],
    {},
    {
      ...{ ...six, not: (x) => Math.abs(x) < 0.1 },
      reference: ([x, slope]) => [Array.from(x!, (v, i) => (v > 0 ? v : v * slope![Math.floor(i / 4) % 3]!))],
    },
  ),
  use("Cast", ["2 3"], { to: word("FLOAT") }, { opset: 5, reference: ([x]) => [[...x!]] }),
  use(
    "Upsample",
    ["1 1 1 2"],
    { height_scale: float(2), width_scale: float(1.5) },
    {
      ...six,
      reference: ([x]) => [[x![0]!, x![0]!, x![1]!, x![0]!, x![0]!, x![1]!]],
      not: "inside",
    },
  ),
];
