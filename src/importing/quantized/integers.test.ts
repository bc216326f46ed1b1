import { describe, expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import { randomStream } from "../../random.ts";
import { compile } from "../../runtime/index.ts";
import { elementCount } from "../../tensor/tensor.ts";
import {
  bool,
  type Feeds,
  f32,
  i8,
  i32,
  i64,
  imported,
  inOnnxRuntime,
  int,
  ints,
  type SmallNode,
  smallModel,
  subgraph,
  u8,
  word,
} from "../../testing/small-model.ts";
import { importModel } from "../import-model.ts";
import { floatModel } from "./float-graph.ts";

const random = randomStream("integers");
const normal = (shape: readonly number[]) =>
  f32(
    Array.from({ length: elementCount(shape) }, () => random.normal()),
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
const from = (dtype: "uint8" | "int8" | "int32", name = "y") => ({ name, dtype, shape: [], unranked: true }) as const;
const contrib = "com.microsoft";

/** Inputs in steps of 1/32 from -4 to 4. Results in steps of 1/16 from 0 on, as where Relu was left out. */
const settings = { s: f32(1 / 32), z: u8(128), ys: f32(1 / 16), yz: u8(0) };

/** Quantised files with saturated floats, and the allowed difference from the integers in steps of the last scale. */
const saturating: Readonly<Record<string, readonly [model: OnnxModel, steps: number]>> = {
  "QuantizeLinear and DequantizeLinear in Relu's place": [
    smallModel({
      nodes: [
        ["QuantizeLinear", "x s z", "q"],
        ["DequantizeLinear", "q s z", "f"],
        ["DequantizeLinear", "w ws wz", "wf", { axis: int(0) }],
        ["Conv", "f wf", "c"],
        ["QuantizeLinear", "c ys yz", "cq"],
        ["DequantizeLinear", "cq ys yz", "y"],
      ],
      inputs: { x: [1, 2, 6, 6] },
      held: { ...settings, w: weights([3, 2, 3, 3]), ws: f32([0.01, 0.02, 0.03]), wz: i8([0, 0, 0]) },
    }),
    2,
  ],
  "in opset 10, which clips by attributes": [
    smallModel({
      opset: 10,
      nodes: [
        ["QuantizeLinear", "x s z", "q"],
        ["QLinearMatMul", "q s z w ws wz ys yz", "m"],
        ["DequantizeLinear", "m ys yz", "y"],
      ],
      inputs: { x: [3, 8] },
      held: { ...settings, w: weights([8, 5]), ws: f32(0.02), wz: i8(3) },
    }),
    2,
  ],
  "QLinearConv, then QLinearAdd and QLinearMul of what it saturates, QLinearConcat of what those do": [
    smallModel({
      nodes: [
        ["QuantizeLinear", "x s z", "q"],
        ["QLinearConv", "q s z w ws wz ys yz b", "c"],
        ["QLinearAdd", "c ys yz c ys yz as az", "a", {}, contrib],
        ["QLinearMul", "c ys yz a as az ms mz", "m", {}, contrib],
        ["QLinearConcat", "ms mz c ys yz m ms mz", "j", { axis: int(1) }, contrib],
        ["DequantizeLinear", "j ms mz", "y"],
      ],
      inputs: { x: [1, 2, 6, 6] },
      held: {
        ...{ ...settings, w: weights([3, 2, 3, 3]), ws: f32(0.02), wz: i8(0), b: i32([300, -200, 100]) },
        // A sum that ends at 3, and a product between -1 and 7.
        ...{ as: f32(3 / 255), az: u8(0), ms: f32(8 / 255), mz: u8(32) },
      },
    }),
    6,
  ],
  "what is moved, padded, joined and pooled between quantised operators": [
    smallModel({
      nodes: [
        ["QuantizeLinear", "x s z", "q"],
        ["Transpose", "q", "t", { perm: ints(0, 1, 3, 2) }],
        ["Pad", "t pads seven", "p"],
        ["MaxPool", "p", "m", { kernel_shape: ints(2, 2) }],
        ["Concat", "m m", "j", { axis: int(1) }],
        ["Split", "j", "a b", { axis: int(1) }],
        ["Reshape", "a shape", "r"],
        ["DequantizeLinear", "r s z", "y"],
      ],
      inputs: { x: [1, 2, 5, 6] },
      held: { ...settings, pads: i64([0, 0, 1, 1, 0, 0, 1, 1]), seven: u8(7), shape: i64([1, -1]) },
    }),
    1,
  ],
  "integers read by other scales than they were made with": [
    smallModel({
      nodes: [
        ["QuantizeLinear", "x s z", "q"],
        ["DequantizeLinear", "q ys seven", "y"],
      ],
      inputs: { x: [40] },
      held: { ...settings, seven: u8(7) },
    }),
    1,
  ],
  "scales along an axis": [
    smallModel({
      nodes: [
        ["QuantizeLinear", "x s z", "q", { axis: int(1) }],
        ["DequantizeLinear", "q s z", "y", { axis: int(1) }],
      ],
      inputs: { x: [4, 3, 2] },
      held: { s: f32([0.002, 0.004, 0.01]), z: u8([0, 128, 255]) },
    }),
    1,
  ],
  "weights that the file rounds as it runs": [
    smallModel({
      nodes: [
        ["QuantizeLinear", "w ws wz", "wq", { axis: int(1) }],
        ["DequantizeLinear", "wq ws wz", "wf", { axis: int(1) }],
        ["MatMul", "x wf", "y"],
      ],
      inputs: { x: [2, 6] },
      held: { w: normal([6, 3]), ws: f32([0.3, 0.2, 0.1]), wz: i8([0, 10, -20]) },
    }),
    // No activation is rounded. Only float32's rounding remains.
    1e-4,
  ],
  "scales that the graph computes": [
    smallModel({
      nodes: [
        ["ReduceMax", "x", "largest", { keepdims: int(0) }],
        ["Div", "largest 127", "s"],
        ["QuantizeLinear", "x s z", "q"],
        ["DequantizeLinear", "q s z", "y"],
      ],
      inputs: { x: [40] },
      held: { z: u8(100), "127": f32(127) },
    }),
    1,
  ],
};

test.each(Object.entries(saturating))("%s: saturated where the integers end", async (_, [model, steps]) => {
  const feeds = { x: normal(model.graph.inputs[0]!.shape as number[]) };
  const [{ y: wanted }, { y }] = [await inOnnxRuntime(model, feeds), await imported(model, feeds)];
  const scale = Math.max(...wanted!.map(Math.abs)) / 100;
  expect(y!.length).toBe(wanted!.length);
  for (const [i, value] of wanted!.entries()) expect(Math.abs(y![i]! - value)).toBeLessThan(steps * scale);
});

/** Quantised operators with integer model inputs or outputs. Results equal ONNX Runtime's. */
const integral: Readonly<Record<string, readonly [model: OnnxModel, feeds: Feeds]>> = {
  ...Object.fromEntries(
    ["QLinearAdd", "QLinearMul"].map((op) => [
      `${op} of integers`,
      [
        smallModel({
          nodes: [[op, "a as az b bs bz ys yz", "y", {}, contrib]],
          inputs: { a: { dtype: "uint8", shape: [2, 9] }, b: { dtype: "uint8", shape: [9] } },
          outputs: [from("uint8")],
          held: { as: f32(0.03), az: u8(100), bs: f32(0.05), bz: u8(7), ys: f32(0.08), yz: u8(90) },
        }),
        { a: bytes([2, 9]), b: bytes([9]) },
      ] as const,
    ]),
  ),
  "QLinearConcat of integers": [
    smallModel({
      nodes: [["QLinearConcat", "ys yz a as az b bs bz", "y", { axis: int(0) }, contrib]],
      inputs: { a: { dtype: "uint8", shape: [9] }, b: { dtype: "uint8", shape: [5] } },
      outputs: [from("uint8")],
      held: { as: f32(0.03), az: u8(100), bs: f32(0.05), bz: u8(7), ys: f32(0.04), yz: u8(90) },
    }),
    { a: bytes([9]), b: bytes([5]) },
  ],
  "QLinearConv of integers, by channel": [
    smallModel({
      nodes: [["QLinearConv", "a as az w ws wz ys yz", "y", { pads: ints(1, 1, 1, 1) }]],
      inputs: { a: { dtype: "uint8", shape: [1, 2, 4, 4] } },
      outputs: [from("uint8")],
      held: {
        ...{ as: f32(0.03), az: u8(100), ys: f32(0.04), yz: u8(90) },
        ...{ w: weights([2, 2, 3, 3]), ws: f32([0.01, 0.02]), wz: i8([0, 0]) },
      },
    }),
    { a: bytes([1, 2, 4, 4]) },
  ],
  "QGemm with alpha and a bias": [
    smallModel({
      nodes: [
        ["QGemm", "a as az w ws wz b ys yz", "y", { alpha: { kind: "float", value: 0.5 }, transB: int(1) }, contrib],
      ],
      inputs: { a: { dtype: "uint8", shape: [3, 4] } },
      outputs: [from("uint8")],
      held: {
        ...{ as: f32(0.03), az: u8(100), ys: f32(0.02), yz: u8(90), b: i32([9000, -8000]) },
        ...{ w: weights([2, 4]), ws: f32([0.01, 0.02]), wz: i8([0, 0]) },
      },
    }),
    { a: bytes([3, 4]) },
  ],
  "MatMulInteger with zero points along rows and columns": [
    smallModel({
      nodes: [["MatMulInteger", "a w - wz", "y"]],
      inputs: { a: { dtype: "uint8", shape: [3, 4] } },
      outputs: [from("int32")],
      held: { w: weights([4, 2]), wz: i8([5, -7]) },
    }),
    { a: bytes([3, 4]) },
  ],
  "QuantizeLinear's integers, to int8 by channel": [
    smallModel({
      nodes: [["QuantizeLinear", "x s z", "y", { axis: int(1) }]],
      inputs: { x: [6, 3] },
      outputs: [from("int8")],
      held: { s: f32([0.01, 0.1, 0.02]), z: i8([0, 100, -128]) },
    }),
    { x: normal([6, 3]) },
  ],
  "DynamicQuantizeLinear's integers, scale and zero point": [
    smallModel({
      nodes: [["DynamicQuantizeLinear", "x", "y s z"]],
      inputs: { x: [20] },
      outputs: [from("uint8"), "s", from("uint8", "z")],
    }),
    { x: normal([20]) },
  ],
  "DynamicQuantizeLinear's integers of nothing but zeros": [
    smallModel({
      nodes: [["DynamicQuantizeLinear", "x", "y s z"]],
      inputs: { x: [3] },
      outputs: [from("uint8"), "s", from("uint8", "z")],
    }),
    { x: f32([0, 0, 0]) },
  ],
  "integers that a node without scales reads": [
    smallModel({
      nodes: [
        ["QuantizeLinear", "x s z", "q"],
        ["Cast", "q", "c", { to: int(1) }],
        ["DequantizeLinear", "q s z", "f"],
        ["Add", "c f", "y"],
      ],
      inputs: { x: [30] },
      held: { ...settings },
    }),
    // On the grid, so that `f` is the same without rounding. Some values lie beyond its ends.
    { x: f32(Array.from({ length: 30 }, (_, i) => (i - 15) / 2)) },
  ],
  "integers that a branch reads": [
    smallModel({
      nodes: [
        ["QuantizeLinear", "x s z", "q"],
        [
          ...(["If", "yes", "y"] as const),
          {
            then_branch: subgraph({ nodes: [["Cast", "q", "a", { to: int(1) }]], inputs: {}, outputs: ["a"] }),
            else_branch: subgraph({ nodes: [["Identity", "x", "b"]], inputs: {}, outputs: ["b"] }),
          },
        ],
      ],
      inputs: { x: [30] },
      held: { ...settings, yes: bool(1) },
    }),
    { x: normal([30]) },
  ],
};

test.each(Object.entries(integral))("%s are ONNX Runtime's", async (_, [model, feeds]) => {
  const [wanted, got] = [await inOnnxRuntime(model, feeds), await imported(model, feeds)];
  for (const { name } of model.graph.outputs) {
    expect(got[name]!.length).toBe(wanted[name]!.length);
    // Integers exactly; a scale is float32.
    for (const [i, value] of wanted[name]!.entries()) expect(got[name]![i]).toBeCloseTo(value, 6);
  }
});

test.each([...Object.entries(saturating), ...Object.entries(integral)])(
  "%s: the float graph is a file for ONNX Runtime",
  async (_, [model, rest]) => {
    const feeds = typeof rest === "number" ? { x: normal(model.graph.inputs[0]!.shape as number[]) } : rest;
    const [there, here] = [await inOnnxRuntime(floatModel(model)!, feeds), await imported(model, feeds)];
    for (const { name } of model.graph.outputs)
      for (const [i, value] of there[name]!.entries()) expect(here[name]![i]).toBeCloseTo(value, 4);
  },
);

test("the derivative is 1 within the range and 0 beyond", async () => {
  const nodes: readonly SmallNode[] = [
    ["QuantizeLinear", "x s z", "q"],
    ["DequantizeLinear", "q s z", "y"],
  ];
  const model = smallModel({ nodes, inputs: { x: [5] }, held: { s: f32(1), z: u8(10) } });
  const { graph: g, inputs, outputs } = importModel(model);
  const [dx] = gradients(g.reduceSum(outputs.get("y")!), [inputs.get("x")!]);
  const program = await compile({ dx });
  const { dx: values } = await program.run({ x: Float32Array.of(-11, -9.5, 0, 244.6, 246) });
  await program.dispose();
  expect([...values]).toEqual([0, 1, 1, 1, 0]);
});

describe("refused", () => {
  const x = { x: [2, 3] as const };
  test.each([
    [
      "zero points by channel that are no constants",
      smallModel({
        nodes: [["MatMulInteger", "a w - wz", "y"]],
        inputs: { a: { dtype: "uint8", shape: [3, 4] }, wz: { dtype: "int8", shape: [2] } },
        held: { w: weights([4, 2]) },
      }),
      /Reshape/,
    ],
    [
      "what is quantised by channel and then moved",
      smallModel({
        nodes: [
          ["QuantizeLinear", "x s z", "q"],
          ["Transpose", "q", "t"],
          ["DequantizeLinear", "t s z", "y", { axis: int(0) }],
        ],
        inputs: x,
        held: { s: f32([1, 2, 3]), z: u8([0, 0, 0]) },
      }),
      /quantised by channel, which is not supported/,
    ],
    [
      "scales along one axis, read along another",
      smallModel({
        nodes: [
          ["QuantizeLinear", "x s z", "q", { axis: int(0) }],
          ["DequantizeLinear", "q s z", "y", { axis: int(1) }],
        ],
        inputs: { x: [2, 2] },
        held: { s: f32([1, 2]), z: u8([0, 7]) },
      }),
      /does not say how many axes q has/,
    ],
    [
      "integers that are put around a quantised image",
      smallModel({
        nodes: [
          ["QuantizeLinear", "x s z", "q"],
          [
            ...(["Resize", "q roi - sizes", "r"] as const),
            { mode: word("linear"), coordinate_transformation_mode: word("tf_crop_and_resize") },
          ],
          ["DequantizeLinear", "r s z", "y"],
        ],
        inputs: { x: [1, 1, 4, 4] },
        held: {
          ...{ s: f32(1), z: u8(0), roi: f32([0, 0, -1, -1, 1, 1, 2, 2]) },
          sizes: i64([1, 1, 4, 4]),
        },
      }),
      /puts around a quantised value/,
    ],
    [
      "joins of values of different scales",
      smallModel({
        nodes: [
          ["QuantizeLinear", "x s z", "q"],
          ["QuantizeLinear", "x r z", "p"],
          ["Concat", "p q", "j", { axis: int(0) }],
          ["DequantizeLinear", "j s z", "y"],
        ],
        inputs: x,
        held: { s: f32(1), r: f32(2), z: u8(0) },
      }),
      /quantised in different ways/,
    ],
    [
      "quantisation within a branch",
      smallModel({
        nodes: [
          [
            ...(["If", "yes", "y"] as const),
            {
              then_branch: subgraph({ nodes: [["QuantizeLinear", "x s z", "a"]], inputs: {}, outputs: ["a"] }),
              else_branch: subgraph({ nodes: [["Identity", "x", "b"]], inputs: {}, outputs: ["b"] }),
            },
          ],
        ],
        inputs: x,
        held: { yes: bool(0), s: f32(1), z: u8(0) },
      }),
      /within a branch/,
    ],
  ])("%s", (_, model, message) => {
    expect(() => importModel(model)).toThrow(message);
  });
});

test("scales that an old file lists among its inputs are no inputs", async () => {
  const held = { ...settings };
  const nodes: readonly SmallNode[] = [
    ["QuantizeLinear", "x s z", "q"],
    ["DequantizeLinear", "q s z", "y"],
  ];
  const listed = { s: [] as const, z: { dtype: "uint8", shape: [] } as const };
  const model = smallModel({ nodes, inputs: { x: [5], ...listed }, held });
  expect([...importModel(model).inputs.keys()]).toEqual(["x"]);
  expect((await imported(model, { x: f32([-9, -1, 0, 1, 9]) })).y).toEqual([-4, -1, 0, 1, 127 / 32]);
});

test("one weight under two scales is two weights", () => {
  const nodes: readonly SmallNode[] = [
    ["DequantizeLinear", "x s z", "f"],
    ["QLinearMatMul", "x s z w s wz s z", "a"],
    ["QLinearMatMul", "a s z w r wz s z", "b"],
    ["DequantizeLinear", "b s z", "y"],
  ];
  const held = { w: weights([2, 2]), s: f32(0.1), r: f32(0.3), z: u8(0), wz: i8(0) };
  const model = smallModel({ nodes, inputs: { x: { dtype: "uint8", shape: [2, 2] } }, held });
  const { initializers } = floatModel(model)!.graph;
  expect([...initializers.keys()].filter((name) => name.startsWith("w"))).toEqual(["w_float32", "w_float32_1"]);
});
