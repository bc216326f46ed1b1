import fc from "fast-check";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { encodeModel } from "../onnx/encode.ts";
import {
  apply,
  type Checks,
  elementwise,
  indexing,
  products,
  reductions,
  shape,
  windowed,
} from "../testing/checks/index.ts";
import { type CaseInput, Draw } from "../testing/draw.ts";
import { type GradientCase, numbers } from "../testing/gradcheck.ts";
import { toOnnx } from "./export.ts";
import { Graph, GraphError, type Value } from "./index.ts";
import { operators } from "./operators/index.ts";

const seed = Number(process.env.LORE_SEED ?? 2024);
const numRuns = Number(process.env.LORE_RUNS ?? 20);

const logical =
  (op: string, operands: number) =>
  (draw: Draw): GradientCase =>
    apply(
      op,
      draw.broadcasting(operands).map((shape) => draw.truths(shape)),
    );

/** Bytes, for operators that take no floats. */
const bytes = (draw: Draw, dtype: "uint8" | "int8", shape: readonly number[]): CaseInput => {
  const { data } = draw.real(shape, { low: 0, high: 100 });
  return { dtype, shape, data: data.map(Math.round) };
};

const quantizeLinear = (draw: Draw): GradientCase => {
  const dtype = draw.pick(["uint8", "int8"] as const);
  return apply("QuantizeLinear", [draw.real(draw.shape()), draw.real([], { low: 1 }), bytes(draw, dtype, [])]);
};

const matMulInteger = (draw: Draw): GradientCase => {
  const [m, k, n] = [draw.int(1, 4), draw.int(1, 4), draw.int(1, 4)];
  return apply("MatMulInteger", [bytes(draw, "uint8", [m, k]), bytes(draw, "int8", [k, n]), bytes(draw, "uint8", [])]);
};

const cases: Checks = {
  ...elementwise,
  ...products,
  ...windowed,
  ...reductions,
  ...shape,
  ...indexing,
  And: logical("And", 2),
  Or: logical("Or", 2),
  Xor: logical("Xor", 2),
  Not: logical("Not", 1),
  ...Object.fromEntries(
    ["BitwiseAnd", "BitwiseOr", "BitwiseXor"].map((op) => [
      op,
      (draw: Draw) =>
        apply(
          op,
          draw.broadcasting(2).map((shape) => bytes(draw, "uint8", shape)),
        ),
    ]),
  ),
  BitwiseNot: (draw) => apply("BitwiseNot", [bytes(draw, "int8", draw.shape())]),
  BitShift: (draw) => {
    const [a, b] = draw.broadcasting(2);
    const direction = draw.pick(["LEFT", "RIGHT"]);
    return apply("BitShift", [bytes(draw, "uint8", a!), { ...bytes(draw, "uint8", b!), dtype: "uint8" }], {
      direction,
    });
  },
  QuantizeLinear: quantizeLinear,
  MatMulInteger: matMulInteger,
};

/** Runs a case in ONNX Runtime without telling it any shape but the inputs', and compares what all its values are. */
async function compareTypes({ inputs, build }: GradientCase): Promise<void> {
  const g = new Graph();
  const x = inputs.map(({ dtype = "float32", shape }, i) => g.input(`x${i}`, dtype, shape));
  const { origin } = build(g, x);
  const node = origin.kind === "node" ? origin.node : undefined;
  const declared = Object.fromEntries([...node!.outputs, ...node!.inputs].map((value, i) => [`y${i}`, value]));
  const model = toOnnx(declared);
  const outputs = model.graph.outputs.map((info) => ({
    ...info,
    shape: info.shape.map((_, axis) => `${info.name}_${axis}`),
  }));
  const { bytes } = encodeModel({ ...model, graph: { ...model.graph, outputs } });
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const feeds = x.map(({ name, dtype, shape }, i) => [
    name,
    new OrtTensor(dtype, numbers(dtype, inputs[i]!.data), shape),
  ]);
  const known = new Set(model.graph.inputs.map(({ name }) => name));
  const results = await session.run(Object.fromEntries(feeds.filter(([name]) => known.has(name as string))));
  const actual = Object.entries(results).map(([name, { type, dims }]) => [name, type, [...dims]]);
  const expected = Object.entries(declared).map(([name, { dtype, shape }]) => [name, dtype, [...shape]]);
  expect(actual.sort()).toEqual(expected.sort());
  await session.release();
}

describe("declared types are those that ONNX Runtime computes", () => {
  test("every operator is tried", () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(operators).sort());
  });

  test.each(Object.entries(cases))("%s", async (_, makeCase) => {
    const property = fc.asyncProperty(fc.gen(), (gen) => compareTypes(makeCase(new Draw(gen))));
    await fc.assert(property, { seed, numRuns });
  });
});

describe("a reshape", () => {
  const g = new Graph();
  const a = g.input("a", "float32", [8, 3]);

  test("of another is one, and none where the shape is the first one's again", () => {
    const cube = g.reshape(a, [2, 4, 3]);
    const row = g.reshape(cube, [1, -1]);
    expect(row.shape).toEqual([1, 24]);
    expect(row.origin.kind === "node" && row.origin.node.inputs).toEqual([a]);
    expect(g.reshape(cube, [8, 3])).toBe(a);
    expect(g.reshape(a, [-1, 3])).toBe(a);
  });

  test("takes the size that a 0 stands for from what it is given", () => {
    expect(g.reshape(g.reshape(a, [6, 4]), [0, 2, 2]).shape).toEqual([6, 2, 2]);
  });
});

describe("what does not fit is an error that names the operator, its inputs and the reason", () => {
  const g = new Graph();
  const image = g.input("image", "float32", [8, 3, 32, 32]);
  const weight = g.input("weight", "float32", [16, 4, 3, 3]);
  const a = g.input("a", "float32", [8, 3]);
  const b = g.input("b", "float32", [4, 5]);
  const wide = g.input("wide", "float64", [8, 3]);
  const index = g.input("index", "int64", [2]);

  const mistakes: readonly (readonly [() => unknown, string])[] = [
    [
      () => g.add(a, b),
      "Add(a: float32[8, 3], b: float32[4, 5]): shapes [8,3] and [4,5] do not broadcast: 8 against 4.",
    ],
    [() => g.matMul(a, b), "MatMul(a: float32[8, 3], b: float32[4, 5]): inner dimensions 3 and 4 differ."],
    [() => g.gemm(image, a), "Gemm(image: float32[8, 3, 32, 32], a: float32[8, 3]): needs matrices (rank 2)."],
    [
      () => g.mul(a, wide),
      "Mul(a: float32[8, 3], wide: float64[8, 3]): inputs have different element types; cast one.",
    ],
    [
      () => g.apply("MatMulInteger", [a, b, a]),
      "MatMulInteger(a: float32[8, 3], b: float32[4, 5], a: float32[8, 3]): needs operands of uint8 or int8.",
    ],
    [
      () => g.apply("QuantizeLinear", [a, b, b]),
      "QuantizeLinear(a: float32[8, 3], b: float32[4, 5], b: float32[4, 5]): needs a scalar scale and zero point.",
    ],
    [() => g.apply("Mod", [a, a]), "Mod(a: float32[8, 3], a: float32[8, 3]): of floating-point numbers needs fmod 1."],
    [() => g.exp(index), "Exp(index: int64[2]): needs a floating-point input, got int64; cast it."],
    [
      () => g.conv(image, weight),
      "Conv(image: float32[8, 3, 32, 32], weight: float32[16, 4, 3, 3]): image has 3 channels, weight takes 4 x 1.",
    ],
    [
      () => g.conv(image, image, undefined, { strides: [2] }),
      "Conv(image: float32[8, 3, 32, 32], image: float32[8, 3, 32, 32]): needs 2 strides, got [2].",
    ],
    [
      () => g.apply("Conv", [image, image], { kernel_shape: [3, 3] }),
      "Conv(image: float32[8, 3, 32, 32], image: float32[8, 3, 32, 32]): kernel_shape [3,3] is not the weight's, [32,32].",
    ],
    [
      () => g.apply("MaxPool", [image], { kernel_shape: [2, 2], auto_pad: "SAME" }),
      "MaxPool(image: float32[8, 3, 32, 32]): auto_pad SAME is none of NOTSET, SAME_UPPER, SAME_LOWER, VALID.",
    ],
    [
      () =>
        g.apply("AveragePool", [image], {
          ...{ kernel_shape: [1, 3], strides: [2, 2], ceil_mode: 1, count_include_pad: 1 },
        }),
      "AveragePool(image: float32[8, 3, 32, 32]): with ceil_mode, a window would begin behind the image: cut [1,0] pixels off its end first.",
    ],
    [
      () => g.apply("ConvTranspose", [image, image], { strides: [2, 2], output_shape: [96, 94] }),
      "ConvTranspose(image: float32[8, 3, 32, 32], image: float32[8, 3, 32, 32]): an output of [96,94] is larger than what [32,32] can be made of by strides of [2,2].",
    ],
    [() => g.reshape(a, [5, -1]), "Reshape(a: float32[8, 3]): 24 elements do not fit [5,-1]."],
    [() => g.reduceSum(a, { axes: [2] }), "ReduceSum(a: float32[8, 3]): axis 2 is out of range for rank 2."],
    [() => g.reduceSum(a, { axes: [1, -1] }), "ReduceSum(a: float32[8, 3]): axes [1,-1] name an axis twice."],
    [() => g.concat([a, b], 0), "Concat(a: float32[8, 3], b: float32[4, 5]): shapes differ beside axis 0."],
    [() => g.split(a, [4, 5]), "Split(a: float32[8, 3]): parts [4,5] do not add up to 8."],
    [() => g.apply("Split", [a]), "Split(a: float32[8, 3]): needs the attribute split."],
    [() => g.transpose(a, [0, 0]), "Transpose(a: float32[8, 3]): [0,0] is no permutation of the axes."],
    [() => g.pad(a, [0, -2, 0, -2]), "Pad(a: float32[8, 3]): pads [0,-2,0,-2] take more than there is."],
    [() => g.slice(a, { starts: [0], ends: [1, 1] }), "Slice(a: float32[8, 3]): needs 1 ends, got [1,1]."],
    [() => g.gather(a, b), "Gather(a: float32[8, 3], b: float32[4, 5]): needs int32 or int64 indices."],
    [() => g.where(a, a, a), "Where(a: float32[8, 3], a: float32[8, 3], a: float32[8, 3]): needs a bool condition."],
    [() => g.apply("Add", [a]), "Add(a: float32[8, 3]): needs 2 inputs, got 1."],
    [() => g.apply("Magic", [a]), "Unknown operator Magic(a: float32[8, 3])."],
    [() => g.add(1, 2), "Add: at least one operand must be a value of the graph."],
    [() => g.neg(new Graph().input("x", "float32", [1])), "Neg: input x: float32[1] belongs to another graph."],
    [() => g.input("a", "float32", [1]), "The graph already has an input called a."],
    [() => g.input("c", "float32", [1.5]), "Input c: shape [1.5] must hold non-negative integers."],
    [
      () => g.constant({ dtype: "float32", shape: [2], data: new Float32Array(3) }),
      "A constant of shape [2] needs 2 elements, got 3.",
    ],
  ];

  test.each(mistakes.map(([run, message]) => [message, run] as const))("%s", (message, run) => {
    expect(run).toThrow(GraphError);
    expect(run).toThrow(new GraphError(message));
  });
});

describe("equal applications are made once", () => {
  const x = () => {
    const g = new Graph();
    return { g, x: g.input("x", "float32", [2, 3]) };
  };

  const equal: readonly (readonly [string, (g: Graph, x: Value) => readonly Value[]])[] = [
    ["the same operands", (g, x) => [g.mul(x, 2), g.mul(x, 2)]],
    [
      "attributes in another order",
      (g, x) => [
        g.apply("ReduceSum", [x], { axes: [0], keepdims: 1 })[0]!,
        g.apply("ReduceSum", [x], { keepdims: 1, axes: [0] })[0]!,
      ],
    ],
    [
      "defaults left out or spelled out",
      (g, x) => [g.reduceSum(x), g.reduceSum(x, { axes: [-1, -2], keepDims: false })],
    ],
    ["nested", (g, x) => [g.exp(g.neg(x)), g.exp(g.neg(x))]],
    [
      "constants of one array",
      (g, x) => {
        const tensor = { dtype: "float32", shape: [3], data: new Float32Array(3) } as const;
        return [g.add(x, g.constant(tensor)), g.add(x, g.constant({ ...tensor }))];
      },
    ],
  ];
  test.each(equal)("%s", (_, build) => {
    const { g, x: value } = x();
    const [first, second] = build(g, value);
    expect(first).toBe(second);
  });

  const different: readonly (readonly [string, (g: Graph, x: Value) => readonly Value[]])[] = [
    ["operands in another order", (g, x) => [g.sub(x, 2), g.sub(2, x)]],
    ["other attributes", (g, x) => [g.reduceSum(x, { axes: [0] }), g.reduceSum(x, { axes: [0], keepDims: true })]],
    [
      "infinities of either sign",
      (g, x) => [g.pad(x, [0, 1, 0, 0], Number.POSITIVE_INFINITY), g.pad(x, [0, 1, 0, 0], Number.NEGATIVE_INFINITY)],
    ],
    ["zeros of either sign", (g, x) => [g.div(x, 0), g.div(x, -0)]],
    [
      "equal numbers in different arrays",
      (g, x) => [
        g.add(x, g.constant({ dtype: "float32", shape: [3], data: new Float32Array(3) })),
        g.add(x, g.constant({ dtype: "float32", shape: [3], data: new Float32Array(3) })),
      ],
    ],
  ];
  test.each(different)("but not %s", (_, build) => {
    const { g, x: value } = x();
    const [first, second] = build(g, value);
    expect(first).not.toBe(second);
  });
});
