import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import type { Value } from "../../graph/index.ts";
import { range } from "../../graph/shapes.ts";
import { encodeModel, type OnnxAttribute, type OnnxModel } from "../../onnx/index.ts";
import { elementCount, type Tensor } from "../../onnx/tensor.ts";
import { randomStream } from "../../random.ts";
import { compile } from "../../runtime/index.ts";
import { kernelCases } from "../../testing/kernels/index.ts";
import { importModel } from "../import-model.ts";
import { composites } from "./index.ts";

/** One use of an operator: shapes of the inputs that are drawn, constants behind them. */
interface Case {
  readonly op: string;
  readonly domain?: string;
  readonly opset?: number;
  readonly shapes: readonly (readonly number[])[];
  /** Static operands and weights, by their places; those before them that are no input are left out. */
  readonly constants?: Readonly<Record<number, Tensor>>;
  readonly attributes?: Readonly<Record<string, number | string | readonly number[]>>;
  /** Number of outputs, of which the first is looked at. Default 1. */
  readonly outputs?: number;
  /** Lowest value of inputs. Default -2. */
  readonly low?: number;
  /** Values at which the function has a kink, where inputs stay away from it; "inside" where that cannot be had. */
  readonly kinks?: readonly number[] | "inside";
}

const floats = (...values: readonly number[]): Tensor => ({
  dtype: "float32",
  shape: [values.length],
  data: Float32Array.from(values),
});
const ints = (...values: readonly number[]): Tensor => ({
  dtype: "int64",
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
const scalar = (value: number): Tensor => ({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(value)) });

/** Numbers that ONNX types as floats. */
const isFloat = (name: string): boolean => /alpha|beta|gamma|epsilon|scale|cubic|params/.test(name);

function attribute(name: string, value: number | string | readonly number[]): OnnxAttribute {
  if (typeof value === "string") return { kind: "string", value };
  if (typeof value === "number") return { kind: isFloat(name) ? "float" : "int", value };
  return isFloat(name) ? { kind: "floats", value } : { kind: "ints", value };
}

function modelOf({
  op,
  domain = "",
  opset = 20,
  shapes,
  constants = {},
  attributes = {},
  outputs = 1,
}: Case): OnnxModel {
  const names: string[] = [];
  const count = Math.max(shapes.length + Object.keys(constants).length, ...Object.keys(constants).map((i) => +i + 1));
  const drawn = shapes.map((_, i) => `x${i}`);
  for (let place = 0; place < count; place++) names.push(constants[place] ? `c${place}` : (drawn.shift() ?? ""));
  return {
    irVersion: 8,
    opsets: new Map([
      ["", opset],
      ["com.microsoft", 1],
    ]),
    producerName: "",
    producerVersion: "",
    metadata: new Map(),
    graph: {
      name: "",
      nodes: [
        {
          ...{ op, domain, name: "node", inputs: names, outputs: ["y", ...range(outputs - 1).map((i) => `other${i}`)] },
          attributes: Object.fromEntries(Object.entries(attributes).map(([name, v]) => [name, attribute(name, v)])),
        },
      ],
      inputs: shapes.map((shape, i) => ({ name: `x${i}`, dtype: "float32", shape })),
      outputs: [{ name: "y", dtype: "float32", shape: [], unranked: true }],
      initializers: new Map(Object.entries(constants).map(([place, tensor]) => [`c${place}`, tensor])),
    },
  };
}

type Feeds = Readonly<Record<string, Float32Array>>;

const image = [2, 4, 5, 6];
const resize = (more: Case["attributes"], operand: Readonly<Record<number, Tensor>>, shape = [1, 2, 5, 6]): Case => ({
  ...{ op: "Resize", shapes: [shape], constants: operand, attributes: more! },
});
const up = { 2: floats(1, 1, 2, 1.5) };
const down = { 2: floats(1, 1, 0.6, 0.5) };
const sizes = { 3: ints(1, 2, 7, 4) };

const cases: readonly Case[] = [
  { op: "LeakyRelu", shapes: [[3, 4]], attributes: { alpha: 0.2 }, kinks: [0] },
  {
    op: "PRelu",
    shapes: [
      [3, 4, 2],
      [4, 1],
    ],
    kinks: [0],
  },
  { op: "Elu", shapes: [[3, 4]], attributes: { alpha: 1.5 }, kinks: [0] },
  { op: "Celu", shapes: [[3, 4]], attributes: { alpha: 0.7 }, kinks: [0] },
  { op: "Selu", shapes: [[3, 4]], kinks: [0] },
  { op: "HardSigmoid", shapes: [[3, 4]], attributes: { alpha: 0.3 }, kinks: [-5 / 3, 5 / 3] },
  { op: "HardSwish", shapes: [[3, 4]], kinks: [-3, 3] },
  { op: "Mish", shapes: [[3, 4]] },
  { op: "Softsign", shapes: [[3, 4]], kinks: [0] },
  { op: "ThresholdedRelu", shapes: [[3, 4]], attributes: { alpha: 0.5 }, kinks: [0.5] },

  {
    op: "BatchNormalization",
    shapes: [image, [4], [4]],
    constants: { 3: floats(0.1, -0.2, 0.3, 0), 4: floats(1, 0.5, 2, 3) },
    attributes: { epsilon: 1e-3 },
  },
  { op: "InstanceNormalization", shapes: [image, [4], [4]] },
  { op: "GroupNormalization", opset: 21, shapes: [image, [4], [4]], attributes: { num_groups: 2 } },
  { op: "GroupNormalization", opset: 18, shapes: [image, [2], [2]], attributes: { num_groups: 2 } },
  { op: "LpNormalization", shapes: [[3, 4]], attributes: { axis: 1, p: 2 } },
  { op: "LpNormalization", shapes: [[3, 4]], attributes: { axis: 0, p: 1 }, kinks: [0] },
  { op: "SimplifiedLayerNormalization", shapes: [[3, 4], [4]], attributes: { epsilon: 1e-5 } },
  { op: "Softmax", opset: 11, shapes: [[2, 3, 4]], attributes: { axis: 1 } },
  { op: "LogSoftmax", opset: 12, shapes: [[2, 3, 4]], attributes: { axis: 2 } },

  { op: "ReduceL1", shapes: [[3, 4]], constants: { 1: ints(1) }, kinks: [0] },
  { op: "ReduceSumSquare", shapes: [[3, 4]], attributes: { keepdims: 0 } },
  { op: "ReduceLogSum", shapes: [[3, 4]], constants: { 1: ints(0) }, low: 0.5 },
  { op: "ReduceLogSumExp", opset: 13, shapes: [[3, 4, 2]], attributes: { axes: [0, 2], keepdims: 0 } },
  { op: "ReduceProd", shapes: [[3, 5]], constants: { 1: ints(1) }, attributes: { keepdims: 0 } },
  { op: "GlobalAveragePool", shapes: [image] },
  { op: "GlobalMaxPool", shapes: [image] },
  { op: "Sum", shapes: [[3, 4], [4], [3, 1]] },
  { op: "Mean", shapes: [[3, 4], [4], [3, 1]] },

  { op: "Gather", shapes: [[3, 4, 2]], constants: { 1: scalar(-1) }, attributes: { axis: 1 } },
  { op: "Gather", shapes: [[3, 4, 2]], constants: { 1: ints(2) } },
  { op: "Gather", shapes: [[3, 4, 2]], constants: { 1: ints(0, 3, 3) }, attributes: { axis: -2 } },
  { op: "Split", opset: 13, shapes: [[3, 1]] },
  { op: "CastLike", shapes: [[3, 4]], constants: { 1: floats(1) } },
  { op: "Tile", shapes: [[2, 3]], constants: { 1: ints(3, 2) } },
  { op: "DepthToSpace", shapes: [[1, 8, 2, 3]], attributes: { blocksize: 2 } },
  { op: "DepthToSpace", shapes: [[1, 8, 2, 3]], attributes: { blocksize: 2, mode: "CRD" } },
  { op: "SpaceToDepth", shapes: [[1, 2, 4, 6]], attributes: { blocksize: 2 } },
  { op: "Trilu", shapes: [[2, 4, 3]], constants: { 1: scalar(1) } },
  { op: "Trilu", shapes: [[4, 5]], constants: { 1: scalar(-1) }, attributes: { upper: 0 } },
  {
    op: "Einsum",
    shapes: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    attributes: { equation: "bij,bjk->bik" },
  },
  {
    op: "Einsum",
    shapes: [
      [2, 3, 4, 2],
      [2, 5, 4, 2],
    ],
    attributes: { equation: "b h c d, b w c d -> c b h w" },
  },
  {
    op: "Einsum",
    shapes: [
      [2, 3, 4],
      [4, 5],
    ],
    attributes: { equation: "...i,ij->...j" },
  },
  {
    op: "Einsum",
    shapes: [
      [3, 4],
      [5, 4],
    ],
    attributes: { equation: "ij,kj" },
  },
  {
    op: "Einsum",
    shapes: [
      [3, 4],
      [4, 5],
      [5, 2],
    ],
    attributes: { equation: "ij,jk,kl->il" },
  },
  { op: "Einsum", shapes: [[3, 4]], attributes: { equation: "ij->j" } },

  ...["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"].flatMap((coordinate_transformation_mode) =>
    ["linear", "cubic"].flatMap((mode) =>
      [up, down, sizes].map((operand) => resize({ mode, coordinate_transformation_mode }, operand)),
    ),
  ),
  ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].flatMap((nearest_mode) =>
    [up, down, sizes].map((operand) =>
      resize({ mode: "nearest", nearest_mode, coordinate_transformation_mode: "asymmetric" }, operand),
    ),
  ),
  resize({ mode: "nearest" }, up),
  resize({ mode: "cubic", cubic_coeff_a: -0.5, exclude_outside: 1 }, up),
  resize({ mode: "linear", antialias: 1 }, down),
  resize({ mode: "cubic", antialias: 1, cubic_coeff_a: -0.5 }, down, [1, 2, 9, 8]),
  { ...resize({ mode: "linear", axes: [2, 3] }, { 3: ints(3, 8) }), opset: 18 },
  { ...resize({ mode: "linear" }, up), opset: 11, constants: { 1: floats(), ...up } },

  ...["QuickGelu", "Gelu", "FastGelu"].map((op) => ({ op, domain: "com.microsoft", shapes: [[3, 4]] })),
  ...["BiasGelu", "FastGelu"].map((op) => ({ op, domain: "com.microsoft", shapes: [[3, 4], [4]] })),
  {
    ...{
      op: "FusedMatMul",
      domain: "com.microsoft",
      shapes: [
        [2, 3, 4],
        [2, 5, 3],
      ],
    },
    attributes: { alpha: 0.5, transA: 1, transB: 1 },
  },
  {
    ...{ op: "FusedGemm", domain: "com.microsoft", shapes: [[3, 4], [5, 4], [5]] },
    attributes: { transB: 1, activation: "Tanh" },
  },
  ...[
    { activation: "Relu" },
    { activation: "Clip", activation_params: [-1, 1.5] },
    { activation: "LeakyRelu", activation_params: [0.1] },
    { activation: "HardSigmoid", activation_params: [0.2, 0.5] },
  ].map((attributes) => ({
    ...{
      op: "FusedConv",
      domain: "com.microsoft",
      shapes: [[1, 2, 5, 5], [3, 2, 3, 3], [3]],
      kinks: "inside" as const,
    },
    attributes: {
      ...attributes,
      kernel_shape: [3, 3],
      strides: [1, 1],
      pads: [1, 1, 1, 1],
      dilations: [1, 1],
      group: 1,
    },
  })),
  {
    ...{ op: "SkipLayerNormalization", domain: "com.microsoft", shapes: [[1, 3, 4], [1, 3, 4], [4], [4], [4]] },
    attributes: { epsilon: 1e-5 },
  },
  {
    ...{ op: "SkipSimplifiedLayerNormalization", domain: "com.microsoft", shapes: [[1, 3, 4], [1, 3, 4], [4], [4]] },
    attributes: { epsilon: 1e-5 },
  },
  {
    ...{ op: "Attention", domain: "com.microsoft", shapes: [[2, 5, 6], [6, 24], [24]] },
    attributes: { num_heads: 2, scale: 0.3 },
  },
  {
    ...{ op: "MultiHeadAttention", domain: "com.microsoft", shapes: [[2, 5, 8], [2, 5, 8], [2, 5, 8], [24]] },
    attributes: { num_heads: 2 },
  },
  {
    ...{
      op: "MultiHeadAttention",
      domain: "com.microsoft",
      shapes: [
        [2, 5, 8],
        [2, 2, 5, 4],
        [2, 2, 5, 4],
      ],
    },
    attributes: { num_heads: 2 },
  },

  { op: "Dropout", shapes: [image], outputs: 2, attributes: { seed: 3 } },
  ...[13, 15].map((opset) => ({
    ...{ op: "BatchNormalization", opset, shapes: [image, [4], [4]], outputs: opset < 14 ? 5 : 3 },
    constants: { 3: floats(0.1, -0.2, 0.3, 0), 4: floats(1, 0.5, 2, 3) },
    attributes: opset < 14 ? {} : { training_mode: 1 },
  })),

  ...["MaxPool", "AveragePool"].map((op) => ({
    ...{ op, shapes: [image], attributes: { kernel_shape: [2, 3], strides: [2, 2], ceil_mode: 1 } },
    kinks: "inside" as const,
  })),
  // Larger than what the windows cover, as large, smaller; and what a stride does not reach.
  ...[
    [11, 19],
    [10, 16],
    [8, 9],
  ].map((output_shape) => ({
    ...{ op: "ConvTranspose", shapes: [image, [4, 2, 2, 2], [2]], attributes: { strides: [2, 3], output_shape } },
  })),
  ...["SAME_UPPER", "SAME_LOWER"].map((auto_pad) => ({
    ...{ op: "ConvTranspose", shapes: [image, [4, 2, 1, 2], [2]], attributes: { strides: [2, 3], auto_pad } },
  })),

  // As opsets before 11 had them.
  { op: "Upsample", opset: 7, shapes: [image], attributes: { scales: [1, 1, 2, 3] }, kinks: "inside" },
  { op: "Upsample", opset: 9, shapes: [image], constants: { 1: floats(1, 1, 2, 1.5) }, attributes: { mode: "linear" } },
  { op: "Resize", opset: 10, shapes: [image], constants: { 1: floats(1, 1, 2, 3) }, attributes: { mode: "nearest" } },
  { op: "Resize", opset: 10, shapes: [image], constants: { 1: floats(1, 1, 0.5, 0.4) }, kinks: "inside" },
  { op: "Slice", opset: 9, shapes: [image], attributes: { starts: [1, -3], ends: [3, 100], axes: [1, 3] } },
  { op: "Pad", opset: 10, shapes: [image], attributes: { pads: [0, 0, 1, 2, 0, 0, 0, 1] } },
  {
    ...{ op: "BatchNormalization", opset: 7, shapes: [image, [4], [4]], attributes: { spatial: 1, epsilon: 1e-3 } },
    constants: { 3: floats(0.1, -0.2, 0.3, 0), 4: floats(1, 0.5, 2, 3) },
  },
];

function inputsOf({ op, shapes, low = -2, kinks = [] }: Case): Feeds {
  const random = randomStream(op);
  const value = (): number => {
    const x = low + (2 - low) * random.uniform();
    return kinks !== "inside" && kinks.some((kink) => Math.abs(x - kink) < 0.05) ? value() : x;
  };
  return Object.fromEntries(shapes.map((shape, i) => [`x${i}`, new Float32Array(elementCount(shape)).map(value)]));
}

/** The original operator in ONNX Runtime's own kernel. */
async function original(model: OnnxModel): Promise<(feeds: Feeds) => Promise<Float32Array>> {
  const session = await InferenceSession.create(encodeModel(model).bytes, {
    ...{ intraOpNumThreads: 1, graphOptimizationLevel: "disabled" },
  });
  const shapes = new Map(model.graph.inputs.map(({ name, shape }) => [name, shape as readonly number[]]));
  return async (feeds) => {
    const tensors = Object.entries(feeds).map(([name, data]) => [
      name,
      new OrtTensor("float32", data, [...shapes.get(name)!]),
    ]);
    return (await session.run(Object.fromEntries(tensors))).y!.data as Float32Array;
  };
}

describe("composites are what ONNX Runtime's own kernels compute, and so are their derivatives", () => {
  test.each(cases.map((one) => [`${one.op} ${JSON.stringify({ ...one.attributes, opset: one.opset })}`, one] as const))(
    "%s",
    async (_, of) => {
      const model = modelOf(of);
      const feeds = inputsOf(of);
      const kernel = await original(model);
      const expected = Float32Array.from(await kernel(feeds));
      const { graph: g, inputs, outputs } = importModel(model);
      const y = outputs.get("y")!;
      const random = randomStream("weights");
      const weights = new Float32Array(expected.length).map(() => random.normal());
      const loss = g.reduceSum(g.mul(y, g.constant({ dtype: "float32", shape: y.shape, data: weights })));
      const x = [...inputs.values()];
      const derivatives = gradients(loss, x);
      const wanted: Record<string, Value> = { y, ...Object.fromEntries(derivatives.map((dx, i) => [`d${i}`, dx])) };
      const program = await compile(wanted, { threads: 1 });
      const result = await program.run(feeds);
      await program.dispose();

      expect(result.y!.length).toBe(expected.length);
      // Other orders of float32 operations on values up to 10; ONNX Runtime's tanh and exponentials are approximations.
      for (const [i, value] of expected.entries()) expect(Math.abs(Number(result.y![i]) - value)).toBeLessThan(3e-5);

      if (of.kinks === "inside") return;
      // Along a random direction, from the kernel alone: float32 rounding over the step, and the step's square.
      const h = 2 ** -7;
      const direction = Object.entries(feeds).map(([name, data]) => [name, data.map(() => random.normal())] as const);
      const at = async (step: number): Promise<number> => {
        const moved = direction.map(([name, u]) => [name, feeds[name]!.map((v, i) => v + step * u[i]!)] as const);
        return (await kernel(Object.fromEntries(moved))).reduce((sum, value, i) => sum + value * weights[i]!, 0);
      };
      const numeric = (8 * ((await at(h)) - (await at(-h))) - ((await at(2 * h)) - (await at(-2 * h)))) / (12 * h);
      const exact = direction.reduce(
        (sum, [, u], i) => u.reduce((inner, v, j) => inner + v * Number(result[`d${i}`]![j]), sum),
        0,
      );
      expect(Math.abs(numeric - exact)).toBeLessThan(5e-3 * Math.max(1, Math.abs(exact)));
    },
  );

  test("every composite is tried", () => {
    const here = cases.map(({ op, domain }) => (domain ? `${domain}:${op}` : op));
    const tried = new Set([...here, ...kernelCases.map(({ op }) => op)]);
    const renamed = ["FlatSoftmax", "FlatLogSoftmax", "FlatHardmax", "GroupwiseGroupNormalization"];
    const names = Object.keys(composites).filter((name) => !name.startsWith("Aligned") && !renamed.includes(name));
    expect(names.filter((name) => !tried.has(name))).toEqual([]);
  });
});
