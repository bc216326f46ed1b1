import { describe, expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { tensorOfNumbers } from "../../onnx/constants.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import { randomStream } from "../../random.ts";
import { compile } from "../../runtime/index.ts";
import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import { f32, i8, i32, imported, inOnnxRuntime, int, ints, smallModel, u8 } from "../../testing/small-model.ts";
import { importModel } from "../import-model.ts";
import { floatModel } from "./float-graph.ts";

const random = randomStream("fused");
const normal = (shape: readonly number[], deviation = 1) =>
  f32(
    Array.from({ length: elementCount(shape) }, () => deviation * random.normal()),
    shape,
  );
const positive = (shape: readonly number[]) =>
  f32(
    Array.from({ length: elementCount(shape) }, () => 0.01 + 0.02 * random.uniform()),
    shape,
  );
const bytes = (shape: readonly number[]) =>
  u8(
    Array.from({ length: elementCount(shape) }, () => random.below(256)),
    shape,
  );
/** Seven-bit weights. On CPUs without VNNI, ONNX Runtime's products of uint8 and int8 saturate beyond that. */
const weights = (shape: readonly number[]) =>
  i8(
    Array.from({ length: elementCount(shape) }, () => random.below(127) - 63),
    shape,
  );
const integers = (dtype: "int4" | "uint4" | "int16" | "uint16", shape: readonly number[], low: number, high: number) =>
  tensorOfNumbers(
    dtype,
    shape,
    Array.from({ length: elementCount(shape) }, () => low + random.below(high - low + 1)),
  );
const contrib = "com.microsoft";

/** Weights of a 40 x 6 matrix in blocks of 16, with the given number of bits. The last block is not full. */
function nBits(bits: number, more: Readonly<Record<string, Tensor>> = {}): OnnxModel {
  const inputs = ["x", "w", "s", more.z ? "z" : "-", "-", more.b ? "b" : "-"].join(" ").replace(/( -)+$/, "");
  return smallModel({
    nodes: [["MatMulNBits", inputs, "y", { K: int(40), N: int(6), bits: int(bits), block_size: int(16) }, contrib]],
    inputs: { x: [3, 40] },
    held: { w: bytes([6, 3, 2 * bits]), s: positive([18]), ...more },
  });
}

/** Weights that are exact as floats, so results are the same. */
const exact: Readonly<Record<string, OnnxModel>> = {
  "MatMulNBits of 4 bits": nBits(4),
  "MatMulNBits of 8 bits": nBits(8),
  "MatMulNBits with zero points": nBits(4, { z: bytes([6 * 2]) }),
  "MatMulNBits of 8 bits with zero points and a bias": nBits(8, { z: bytes([6 * 3]), b: normal([6]) }),
  "MatMulNBits with zero points that are floats": nBits(4, {
    z: f32(Array.from({ length: 18 }, () => 16 * random.uniform())),
  }),
  ...Object.fromEntries(
    (
      [
        ["int4", -8, 7],
        ["uint4", 0, 15],
        ["int16", -3000, 3000],
        ["uint16", 0, 5000],
      ] as const
    ).flatMap(([dtype, low, high]) => [
      [
        `weights of ${dtype}, scaled by channel`,
        smallModel({
          opset: 21,
          nodes: [
            ["DequantizeLinear", "w s z", "f", { axis: int(1) }],
            ["MatMul", "x f", "y"],
          ],
          inputs: { x: [2, 5] },
          held: { w: integers(dtype, [5, 3], low, high), s: positive([3]), z: integers(dtype, [3], low, high) },
        }),
      ],
      [
        `weights of ${dtype}, scaled by blocks`,
        smallModel({
          opset: 21,
          nodes: [
            ["DequantizeLinear", "w s z", "f", { axis: int(0), block_size: int(2) }],
            ["MatMul", "x f", "y"],
          ],
          inputs: { x: [2, 6] },
          held: { w: integers(dtype, [6, 3], low, high), s: positive([3, 3]), z: integers(dtype, [3, 3], low, high) },
        }),
      ],
    ]),
  ),
  "weights of 16 bits as before opset 21": smallModel({
    nodes: [
      ["DequantizeLinear", "w s z", "f", { axis: int(1) }, contrib],
      ["MatMul", "x f", "y"],
    ],
    inputs: { x: [2, 5] },
    held: { w: integers("int16", [5, 3], -3000, 3000), s: positive([3]), z: integers("int16", [3], -100, 100) },
  }),
};

/** Inputs in steps of 1/32, from -4 to 4. */
const settings = { s: f32(1 / 32), z: u8(128) };
const quantizedImage = (nodes: Parameters<typeof smallModel>[0]["nodes"], held: Readonly<Record<string, Tensor>>) =>
  smallModel({
    nodes: [["QuantizeLinear", "x s z", "q"], ...nodes, ["DequantizeLinear", "r ys yz", "y"]],
    inputs: { x: [1, 2, 5, 6] },
    held: { ...settings, ...held },
  });

/** Maximum difference, relative to the largest result, between rounded activations and floats. */
const rounded: Readonly<Record<string, readonly [model: OnnxModel, apart: number]>> = {
  DynamicQuantizeMatMul: [
    smallModel({
      nodes: [["DynamicQuantizeMatMul", "x w s z b", "y", {}, contrib]],
      inputs: { x: [3, 8] },
      held: { w: weights([8, 5]), s: f32(0.01), z: i8(3), b: normal([5]) },
    }),
    0.02,
  ],
  "DynamicQuantizeMatMul by channel": [
    smallModel({
      nodes: [["DynamicQuantizeMatMul", "x w s", "y", {}, contrib]],
      inputs: { x: [3, 8] },
      held: { w: weights([8, 5]), s: positive([5]) },
    }),
    0.02,
  ],
  "MatMulIntegerToFloat behind DynamicQuantizeLinear": [
    smallModel({
      nodes: [
        ["DynamicQuantizeLinear", "x", "q s z"],
        ["MatMulIntegerToFloat", "q w s ws z wz b", "y", {}, contrib],
      ],
      inputs: { x: [3, 8] },
      held: { w: weights([8, 5]), ws: positive([5]), wz: i8([0, 0, 0, 0, 0]), b: normal([5]) },
    }),
    0.02,
  ],
  "MatMulIntegerToFloat behind QuantizeLinear": [
    smallModel({
      nodes: [
        ["QuantizeLinear", "x s z", "q"],
        ["MatMulIntegerToFloat", "q w s ws z", "y", {}, contrib],
      ],
      inputs: { x: [3, 8] },
      held: { ...settings, w: weights([8, 5]), ws: f32(0.02) },
    }),
    0.02,
  ],
  ...Object.fromEntries(
    [0, 1].map((only) => [
      `QAttention, ${only ? "" : "not "}unidirectional, with a mask`,
      [
        smallModel({
          nodes: [
            ["DynamicQuantizeLinear", "x", "q s z"],
            [
              ...(["QAttention", "q w b s ws mask z wz", "y"] as const),
              ...([{ num_heads: int(2), unidirectional: int(only) }, contrib] as const),
            ],
          ],
          inputs: { x: [2, 4, 6] },
          held: {
            ...{ w: weights([6, 24]), ws: f32(0.005), wz: i8(0), b: normal([24], 0.3) },
            mask: i32([1, 1, 0, 1, 1, 0, 1, 1], [2, 4]),
          },
        }),
        0.03,
      ] as const,
    ]),
  ),
  QLinearAveragePool: [
    quantizedImage(
      [
        [
          ...(["QLinearAveragePool", "q s z ys yz", "r"] as const),
          ...([{ kernel_shape: ints(3, 2), strides: ints(2, 2), pads: ints(1, 0, 1, 1) }, contrib] as const),
        ],
      ],
      { ys: f32(1 / 32), yz: u8(100) },
    ),
    0.03,
  ],
  QLinearSoftmax: [
    quantizedImage([["QLinearSoftmax", "q s z ys yz", "r", { axis: int(-1), opset: int(17) }, contrib]], {
      ys: f32(1 / 255),
      yz: u8(0),
    }),
    0.03,
  ],
};

async function both(model: OnnxModel): Promise<readonly [ours: readonly number[], theirs: readonly number[]]> {
  const x = normal(model.graph.inputs[0]!.shape as readonly number[]);
  const ours = (await imported(model, { x })).y!;
  return [ours, (await inOnnxRuntime(model, { x })).y!];
}

describe("what ONNX Runtime's kernels compute", () => {
  test.each(Object.entries(exact))("%s", async (_, model) => {
    const [ours, theirs] = await both(model);
    const largest = Math.max(...theirs.map(Math.abs));
    expect(ours.length).toBe(theirs.length);
    // Float32 sums in another order.
    for (const [i, value] of theirs.entries()) expect(Math.abs(ours[i]! - value)).toBeLessThan(1e-5 * largest);
  });

  test.each(Object.entries(rounded))("%s, but for rounded activations", async (_, [model, apart]) => {
    const [ours, theirs] = await both(model);
    const largest = Math.max(...theirs.map(Math.abs));
    expect(ours.length).toBe(theirs.length);
    for (const [i, value] of theirs.entries()) expect(Math.abs(ours[i]! - value)).toBeLessThan(apart * largest);
    const ops = floatModel(model)!.graph.nodes.map(({ op }) => op);
    expect(ops.filter((op) => /Quantize|QLinear|Integer|QAttention/.test(op))).toEqual([]);
  });
});

test("derivatives reach images and weights", async () => {
  const { graph: g, inputs, outputs, weights: held } = importModel(exact["MatMulNBits with zero points"]!);
  expect([...held.keys()]).toEqual(["w_float32"]);
  const [dx, dw] = gradients(g.reduceSum(outputs.get("y")!), [inputs.get("x")!, held.get("w_float32")!]);
  const program = await compile({ dx: dx!, dw: dw! }, { threads: 1 });
  const result = await program.run({ x: new Float32Array(120).fill(0.5) });
  await program.dispose();
  expect([...result.dx].some((value) => value !== 0)).toBe(true);
  expect([...result.dw].every((value) => value === 1.5)).toBe(true);
});

test("what does not fit is refused, with the node", () => {
  const model = nBits(4);
  const short = new Map([...model.graph.initializers, ["s", positive([17])]]);
  expect(() => importModel({ ...model, graph: { ...model.graph, initializers: short } })).toThrow(
    /MatMulNBits y: .* is no matrix of 40 x 6 in 4 bits by blocks of 16/,
  );
});
