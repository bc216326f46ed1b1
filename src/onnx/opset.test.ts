import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../tensor/tensor.ts";
import { CANONICAL_OPSET, type CanonicalNode } from "./canonical.ts";
import { canonicalize } from "./canonicalize.ts";
import { encodeModel } from "./encode.ts";
import { lower } from "./lower.ts";
import { type Attributes, irVersionFor, type OnnxModel, type ValueInfo } from "./model.ts";

const f32 = (shape: readonly number[], ...values: number[]): Tensor<"float32"> => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(values),
});
const i64 = (shape: readonly number[], ...values: number[]): Tensor<"int64"> => ({
  dtype: "int64",
  shape,
  data: BigInt64Array.from(values, BigInt),
});
const bool = (shape: readonly number[], ...values: number[]): Tensor<"bool"> => ({
  dtype: "bool",
  shape,
  data: Uint8Array.from(values),
});

/** A one-node model in the given opset, and its node in canonical form. */
function modelOf(
  op: string,
  attributes: Attributes,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  opset: number,
) {
  const node: CanonicalNode = {
    op,
    domain: "",
    inputs: inputs.map((_, i) => `x${i}`),
    outputs: outputs.map((_, i) => `y${i}`),
    attributes,
  };
  let count = 0;
  const { nodes, constants } = lower(
    node,
    opset,
    (name) => inputs[Number(name.slice(1))]!.dtype,
    (hint) => `${hint}_${count++}`,
  );
  const info =
    (letter: string) =>
    ({ dtype, shape }: Tensor, i: number): ValueInfo => ({ name: `${letter}${i}`, dtype, shape });
  const model: OnnxModel = {
    irVersion: irVersionFor(opset),
    opsets: new Map([["", opset]]),
    producerName: "",
    producerVersion: "",
    metadata: new Map(),
    graph: {
      name: op,
      nodes,
      inputs: inputs.map(info("x")),
      outputs: outputs.map(info("y")),
      initializers: new Map(constants),
    },
  };
  return { node, model };
}

async function run(model: OnnxModel, inputs: readonly Tensor[]): Promise<Tensor[]> {
  const session = await ort.InferenceSession.create(encodeModel(model).bytes, { logSeverityLevel: 3 });
  const feeds = inputs.map(({ dtype, data, shape }, i) => [
    `x${i}`,
    new ort.Tensor(dtype as "float32", data as Float32Array, shape),
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return session.outputNames.map((name) => {
    const { type, data, dims } = results[name]!;
    return { dtype: type, data, shape: dims } as unknown as Tensor;
  });
}

interface Case {
  readonly op: string;
  readonly attributes: Attributes;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** The first opset that can say it. */
  readonly since?: number;
}

const grid = f32([2, 3], 1, 2, 3, 4, 5, 6);
const phi = (x: number) => 0.5 * (1 + erf(x / Math.SQRT2));
/** Abramowitz and Stegun 7.1.26, good to 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) *
    Math.exp(-x * x);
  return Math.sign(x) * (1 - tail);
}
const tanhGelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

const cases: readonly Case[] = [
  { op: "Reshape", attributes: { shape: [3, -1] }, inputs: [grid], outputs: [f32([3, 2], 1, 2, 3, 4, 5, 6)] },
  { op: "Reshape", attributes: { shape: [], allowzero: 0 }, inputs: [f32([1], 7)], outputs: [f32([], 7)] },
  {
    op: "Reshape",
    attributes: { shape: [0, 4], allowzero: 1 },
    inputs: [f32([4, 0])],
    outputs: [f32([0, 4])],
    since: 14,
  },
  { op: "Expand", attributes: { shape: [2, 2] }, inputs: [f32([2, 1], 1, 2)], outputs: [f32([2, 2], 1, 1, 2, 2)] },
  { op: "Tile", attributes: { repeats: [1, 2] }, inputs: [f32([1, 2], 1, 2)], outputs: [f32([1, 4], 1, 2, 1, 2)] },
  { op: "Squeeze", attributes: { axes: [1] }, inputs: [f32([2, 1], 1, 2)], outputs: [f32([2], 1, 2)] },
  { op: "Unsqueeze", attributes: { axes: [0, -1] }, inputs: [f32([2], 1, 2)], outputs: [f32([1, 2, 1], 1, 2)] },
  { op: "Transpose", attributes: { perm: [1, 0] }, inputs: [grid], outputs: [f32([3, 2], 1, 4, 2, 5, 3, 6)] },
  { op: "Concat", attributes: { axis: 0 }, inputs: [f32([1], 1), f32([2], 2, 3)], outputs: [f32([3], 1, 2, 3)] },
  { op: "ReduceSum", attributes: { axes: [1], keepdims: 1 }, inputs: [grid], outputs: [f32([2, 1], 6, 15)] },
  { op: "ReduceSum", attributes: { keepdims: 0 }, inputs: [grid], outputs: [f32([], 21)] },
  { op: "ReduceSum", attributes: { axes: [], keepdims: 0 }, inputs: [grid], outputs: [grid] },
  { op: "ReduceMean", attributes: { axes: [-1], keepdims: 0 }, inputs: [grid], outputs: [f32([2], 2, 5)] },
  { op: "ReduceMax", attributes: { axes: [0], keepdims: 0 }, inputs: [grid], outputs: [f32([3], 4, 5, 6)] },
  { op: "ReduceMin", attributes: { axes: [0], keepdims: 0 }, inputs: [grid], outputs: [f32([3], 1, 2, 3)] },
  { op: "ReduceProd", attributes: { axes: [1], keepdims: 0 }, inputs: [grid], outputs: [f32([2], 6, 120)] },
  { op: "ReduceL1", attributes: { axes: [1], keepdims: 0 }, inputs: [grid], outputs: [f32([2], 6, 15)] },
  { op: "ReduceL2", attributes: { axes: [0], keepdims: 0 }, inputs: [f32([2], 3, 4)], outputs: [f32([], 5)] },
  { op: "ReduceSumSquare", attributes: { axes: [0], keepdims: 0 }, inputs: [f32([2], 3, 4)], outputs: [f32([], 25)] },
  {
    op: "ReduceLogSum",
    attributes: { axes: [0], keepdims: 0 },
    inputs: [f32([2], 3, 4)],
    outputs: [f32([], Math.log(7))],
  },
  {
    op: "ReduceLogSumExp",
    attributes: { axes: [0], keepdims: 0 },
    inputs: [f32([2], 0, 0)],
    outputs: [f32([], Math.LN2)],
  },
  {
    op: "Slice",
    attributes: { starts: [2], ends: [Number.MIN_SAFE_INTEGER], axes: [1], steps: [-1] },
    inputs: [grid],
    outputs: [f32([2, 3], 3, 2, 1, 6, 5, 4)],
  },
  {
    op: "Slice",
    attributes: { starts: [1], ends: [Number.MAX_SAFE_INTEGER] },
    inputs: [grid],
    outputs: [f32([1, 3], 4, 5, 6)],
  },
  {
    op: "Pad",
    attributes: { pads: [1, 0, 0, 1], mode: "constant", value: 9 },
    inputs: [f32([1, 2], 1, 2)],
    outputs: [f32([2, 3], 9, 9, 9, 1, 2, 9)],
  },
  {
    op: "Pad",
    attributes: { pads: [1, 1], mode: "reflect" },
    inputs: [f32([3], 1, 2, 3)],
    outputs: [f32([5], 2, 1, 2, 3, 2)],
  },
  {
    op: "Pad",
    attributes: { pads: [0, 1], mode: "constant", axes: [1] },
    inputs: [f32([2, 1], 1, 2)],
    outputs: [f32([2, 2], 1, 0, 2, 0)],
    since: 18,
  },
  {
    op: "Split",
    attributes: { axis: 1, split: [1, 2] },
    inputs: [grid],
    outputs: [f32([2, 1], 1, 4), f32([2, 2], 2, 3, 5, 6)],
  },
  { op: "Split", attributes: { axis: 0 }, inputs: [grid], outputs: [f32([1, 3], 1, 2, 3), f32([1, 3], 4, 5, 6)] },
  { op: "Clip", attributes: { min: -1, max: 1 }, inputs: [f32([3], -2, 0.5, 2)], outputs: [f32([3], -1, 0.5, 1)] },
  { op: "Clip", attributes: { max: 1 }, inputs: [f32([3], -2, 0.5, 2)], outputs: [f32([3], -2, 0.5, 1)] },
  { op: "Clip", attributes: { min: 2 }, inputs: [i64([3], 1, 2, 3)], outputs: [i64([3], 2, 2, 3)] },
  { op: "Gather", attributes: { axis: 1 }, inputs: [grid, i64([2], 2, 0)], outputs: [f32([2, 2], 3, 1, 6, 4)] },
  { op: "Softmax", attributes: { axis: 0 }, inputs: [f32([2, 1], 0, Math.log(3))], outputs: [f32([2, 1], 0.25, 0.75)] },
  {
    op: "TopK",
    attributes: { k: 2, axis: 0, largest: 1, sorted: 1 },
    inputs: [f32([3], 5, 7, 6)],
    outputs: [f32([2], 7, 6), i64([2], 1, 2)],
  },
  {
    op: "CumSum",
    attributes: { axis: 1, exclusive: 0, reverse: 1 },
    inputs: [grid],
    outputs: [f32([2, 3], 6, 5, 3, 15, 11, 6)],
  },
  {
    op: "Resize",
    attributes: {
      mode: "nearest",
      coordinate_transformation_mode: "asymmetric",
      nearest_mode: "floor",
      scales: [1, 1, 1, 2],
    },
    inputs: [f32([1, 1, 1, 2], 1, 2)],
    outputs: [f32([1, 1, 1, 4], 1, 1, 2, 2)],
  },
  {
    op: "Resize",
    attributes: { mode: "linear", coordinate_transformation_mode: "half_pixel", antialias: 0, sizes: [1, 1, 1, 4] },
    inputs: [f32([1, 1, 1, 2], 0, 4)],
    outputs: [f32([1, 1, 1, 4], 0, 1, 3, 4)],
  },
  { op: "Trilu", attributes: { k: 1, upper: 1 }, inputs: [grid], outputs: [f32([2, 3], 0, 2, 3, 0, 0, 6)], since: 14 },
  { op: "Cast", attributes: { to: "int64" }, inputs: [f32([2], 1.9, -1.9)], outputs: [i64([2], 1, -1)] },
  { op: "Cast", attributes: { to: "bool" }, inputs: [f32([2], 0, 3)], outputs: [bool([2], 0, 1)] },
  {
    op: "Gemm",
    attributes: { alpha: 2, beta: 1, transA: 0, transB: 1 },
    inputs: [f32([1, 2], 1, 2), f32([1, 2], 3, 4), f32([1], 5)],
    outputs: [f32([1, 1], 27)],
  },
  {
    op: "LayerNormalization",
    attributes: { axis: -2, epsilon: 0.5 },
    inputs: [f32([1, 2, 2], 1, 2, 3, 4), f32([2, 2], 1, 1, 1, 2), f32([2, 2], 0, 0, 0, 1)],
    outputs: [f32([1, 2, 2], ...[-1.5, -0.5, 0.5, 3].map((v, i) => v / Math.sqrt(1.75) + (i === 3 ? 1 : 0)))],
  },
  {
    op: "LayerNormalization",
    attributes: { axis: -1, epsilon: 0 },
    inputs: [f32([2], 1, 3), f32([2], 1, 5)],
    outputs: [f32([2], -1, 5)],
  },
  {
    op: "Gelu",
    attributes: { approximate: "none" },
    inputs: [f32([3], -1, 0, 2)],
    outputs: [f32([3], -phi(-1), 0, 2 * phi(2))],
  },
  {
    op: "Gelu",
    attributes: { approximate: "tanh" },
    inputs: [f32([3], -1, 0, 2)],
    outputs: [f32([3], ...[-1, 0, 2].map(tanhGelu))],
  },
  {
    op: "Conv",
    attributes: { strides: [2], pads: [1, 0], dilations: [1], group: 1, kernel_shape: [2] },
    inputs: [f32([1, 1, 3], 1, 2, 3), f32([1, 1, 2], 10, 1)],
    outputs: [f32([1, 1, 2], 1, 23)],
  },
  {
    op: "ConvTranspose",
    attributes: { strides: [2], output_padding: [1] },
    inputs: [f32([1, 1, 2], 1, 2), f32([1, 1, 2], 10, 1)],
    outputs: [f32([1, 1, 5], 10, 1, 20, 2, 0)],
  },
  {
    op: "GridSample",
    attributes: { mode: "linear", padding_mode: "zeros", align_corners: 1 },
    inputs: [f32([1, 1, 1, 2], 1, 3), f32([1, 1, 1, 2], 0, 0)],
    outputs: [f32([1, 1, 1, 1], 2)],
    since: 16,
  },
  { op: "LeakyRelu", attributes: { alpha: 0.5 }, inputs: [f32([2], -2, 2)], outputs: [f32([2], -1, 2)] },
  { op: "Shape", attributes: { start: 0 }, inputs: [grid], outputs: [i64([2], 2, 3)] },
  { op: "Shape", attributes: { start: 1 }, inputs: [grid], outputs: [i64([1], 3)], since: 15 },
];

const opsets = Array.from({ length: CANONICAL_OPSET - 12 }, (_, i) => 13 + i);

describe.each(cases)("$op $attributes", ({ op, attributes, inputs, outputs, since = 13 }) => {
  test.each(opsets)("opset %i", async (opset) => {
    if (opset < since) {
      expect(() => modelOf(op, attributes, inputs, outputs, opset)).toThrow(/opset/);
      return;
    }
    const { node, model } = modelOf(op, attributes, inputs, outputs, opset);
    const results = await run(model, inputs);
    results.forEach((result, i) => {
      const expected = outputs[i]!;
      expect(result.dtype).toBe(expected.dtype);
      expect(result.shape).toEqual(expected.shape);
      expect(result.data.length).toBe(expected.data.length);
      for (const [j, value] of expected.data.entries()) expect(Number(result.data[j])).toBeCloseTo(Number(value), 5);
    });
    const [only, ...rest] = model.graph.nodes;
    if (rest.length === 0 && only!.op === op) {
      const back = canonicalize(only!, opset, (name) => model.graph.initializers.get(name));
      expect(back).toMatchObject({ op, inputs: node.inputs, outputs: node.outputs });
      expect(back.attributes).toMatchObject(attributes);
    }
  });
});
