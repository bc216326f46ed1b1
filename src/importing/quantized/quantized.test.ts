import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { encodeModel, type OnnxAttribute, type OnnxModel, type OnnxNode } from "../../onnx/index.ts";
import { randomStream } from "../../random.ts";
import { compile } from "../../runtime/index.ts";
import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import { importModel } from "../import-model.ts";
import { floatModel } from "./float-graph.ts";

const f32 = (values: readonly number[], shape: readonly number[] = []): Tensor => ({
  ...{ dtype: "float32", shape, data: Float32Array.from(values) },
});
const u8 = (values: readonly number[], shape: readonly number[] = []): Tensor => ({
  ...{ dtype: "uint8", shape, data: Uint8Array.from(values) },
});
const random = randomStream("quantized");
/** Seven-bit weights. On CPUs without VNNI, ONNX Runtime's products of uint8 and int8 saturate beyond that. */
const i8 = (shape: readonly number[]): Tensor => ({
  ...{ dtype: "int8", shape, data: Int8Array.from({ length: elementCount(shape) }, () => random.below(127) - 63) },
});
const i32 = (shape: readonly number[]): Tensor => ({
  ...{ dtype: "int32", shape, data: Int32Array.from({ length: elementCount(shape) }, () => random.below(400) - 200) },
});

type Ops = readonly (readonly [
  op: string,
  inputs: string,
  outputs: string,
  attributes?: OnnxNode["attributes"],
  domain?: string,
])[];

const int = (value: number): OnnxAttribute => ({ kind: "int", value });

function modelOf(ops: Ops, shape: readonly number[], initializers: Readonly<Record<string, Tensor>>): OnnxModel {
  const nodes = ops.map(([op, inputs, outputs, attributes = {}, domain = ""]) => ({
    ...{ op, domain, name: "", attributes, inputs: inputs.split(" "), outputs: outputs.split(" ") },
  }));
  return {
    irVersion: 8,
    opsets: new Map([
      ["", 17],
      ["com.microsoft", 1],
    ]),
    ...{ producerName: "", producerVersion: "", metadata: new Map() },
    graph: {
      ...{ name: "", nodes, initializers: new Map(Object.entries(initializers)) },
      inputs: [{ name: "x", dtype: "float32", shape }],
      outputs: [{ name: "y", dtype: "float32", shape: [], unranked: true }],
    },
  };
}

/** Activations in [-1, 1] in steps of 1/127. */
const grid = { s: f32([1 / 127]), z: u8([128]) };
/** Results in [-4, 4]. */
const out = { ys: f32([8 / 255]), yz: u8([128]) };
const perChannel = {
  ws: f32([0.004, 0.006, 0.008], [3]),
  wz: { dtype: "int8", shape: [3], data: new Int8Array(3) } as Tensor,
};

const models: Readonly<Record<string, OnnxModel>> = {
  "activations and weights between QuantizeLinear and DequantizeLinear": modelOf(
    [
      ["QuantizeLinear", "x s z", "xq"],
      ["DequantizeLinear", "xq s z", "xf"],
      ["DequantizeLinear", "w ws wz", "wf", { axis: int(0) }],
      ["Conv", "xf wf", "c"],
      ["QuantizeLinear", "c ys yz", "cq"],
      ["DequantizeLinear", "cq ys yz", "y"],
    ],
    [1, 2, 6, 6],
    { ...grid, ...out, ...perChannel, w: i8([3, 2, 3, 3]) },
  ),
  "QLinearConv with a bias, then QLinearGlobalAveragePool": modelOf(
    [
      ["QuantizeLinear", "x s z", "xq"],
      ["QLinearConv", "xq s z w ws wz ys yz b", "c"],
      ["QLinearGlobalAveragePool", "c ys yz ys yz", "p", { channels_last: int(0) }, "com.microsoft"],
      ["DequantizeLinear", "p ys yz", "y"],
    ],
    [1, 2, 6, 6],
    { ...grid, ...out, ...perChannel, w: i8([3, 2, 3, 3]), b: i32([3]) },
  ),
  "QLinearMatMul and QLinearAdd": modelOf(
    [
      ["QuantizeLinear", "x s z", "xq"],
      ["QLinearMatMul", "xq s z w ws1 wz1 ys yz", "m"],
      ["QLinearAdd", "m ys yz m ys yz ys yz", "a", {}, "com.microsoft"],
      ["DequantizeLinear", "a ys yz", "y"],
    ],
    [3, 8],
    { ...grid, ...out, ws1: f32([0.005]), wz1: { dtype: "int8", shape: [], data: Int8Array.of(3) }, w: i8([8, 5]) },
  ),
  "activations that are quantised as they come": modelOf(
    [
      ["DynamicQuantizeLinear", "x", "xq xs xz"],
      ["MatMulInteger", "xq w xz wz", "m"],
      ["Mul", "xs ws", "scales"],
      ["Cast", "m", "mf", { to: int(1) }],
      ["Mul", "mf scales", "y"],
    ],
    [3, 8],
    {
      ws: f32([0.004]),
      wz: u8([120]),
      w: u8(
        Array.from({ length: 40 }, () => random.below(255)),
        [8, 5],
      ),
    },
  ),
  "a convolution of such": modelOf(
    [
      ["DynamicQuantizeLinear", "x", "xq xs xz"],
      ["ConvInteger", "xq w xz wz", "m"],
      ["Cast", "m", "mf", { to: int(1) }],
      ["Mul", "xs ws", "scales"],
      ["Mul", "scales mf", "y"],
    ],
    [1, 2, 6, 6],
    {
      ws: f32([0.004]),
      wz: u8([120]),
      w: u8(
        Array.from({ length: 54 }, () => random.below(255)),
        [3, 2, 3, 3],
      ),
    },
  ),
};

test.each(Object.entries(models))("%s: the numbers that integers stand for", async (_, model) => {
  const shape = model.graph.inputs[0]!.shape as readonly number[];
  const x = new Float32Array(elementCount(shape)).map(() => 2 * random.uniform() - 1);
  const session = await InferenceSession.create(encodeModel(model).bytes, { intraOpNumThreads: 1 });
  const { y: expected } = await session.run({ x: new OrtTensor("float32", x, [...shape]) });

  const float = floatModel(model)!;
  const program = await compile(Object.fromEntries(importModel(float).outputs), { threads: 1 });
  const { y } = await program.run({ x });
  await program.dispose();
  const wanted = expected!.data as Float32Array;
  expect(y!.length).toBe(wanted.length);
  const spread = Math.max(...wanted) - Math.min(...wanted);
  // Rounding of activations to 8 bits: half a step of the result, plus the sum over products of half steps of the input.
  for (const [i, value] of wanted.entries())
    expect(Math.abs(Number(y![i]) - value)).toBeLessThan(4 / 255 + 0.02 * spread);
  // The results are not small by accident.
  expect(spread).toBeGreaterThan(0.3);
  const ops = float.graph.nodes.map(({ op }) => op);
  expect(ops.filter((op) => /quant|integer|qlinear/i.test(op))).toEqual([]);
});

test("weights are trained at their own size: scales are taken in", () => {
  const { weights } = importModel(floatModel(models["activations that are quantised as they come"]!)!);
  expect([...weights.keys()]).toEqual(["w_float32"]);
  const { origin } = weights.get("w_float32")!;
  const { data } = models["activations that are quantised as they come"]!.graph.initializers.get("w")!;
  const held = origin.kind === "constant" ? origin.tensor.data : [];
  expect(Number(held[0])).toBeCloseTo((Number(data[0]) - 120) * 0.004, 6);
});

test("a model that is not quantised is left alone", () => {
  expect(floatModel(modelOf([["Mul", "x x", "y"]], [3], {}))).toBeUndefined();
});
