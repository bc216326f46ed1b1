import { InferenceSession } from "onnxruntime-node";
import { expect, test } from "vitest";
import { canonicalize } from "../onnx/canonicalize.ts";
import { encodeModel, numbersOf, type OnnxAttribute, type OnnxModel } from "../onnx/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { evaluators } from "./evaluators.ts";
import { evaluate, knownOf } from "./known.ts";

const i64 = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor => ({
  ...{ dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) },
});
const f32 = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor => ({
  ...{ dtype: "float32", shape, data: Float32Array.from(values) },
});
const i32 = (...values: readonly number[]): Tensor => ({
  ...{ dtype: "int32", shape: [values.length], data: Int32Array.from(values) },
});
const truths = (...values: readonly number[]): Tensor => ({
  dtype: "bool",
  shape: [values.length],
  data: Uint8Array.from(values),
});
const int = (value: number): OnnxAttribute => ({ kind: "int", value });
const list = (...value: readonly number[]): OnnxAttribute => ({ kind: "ints", value });

const a = i64([5, -3, 7, 0, 2, 9], [2, 3]);
const b = i64([2, -2, 3]);
const x = f32([0.5, -1.5, 2.5, 3.7, -0.2, 10], [2, 3]);
const y = f32([3, -0.7, 1.1]);

type Case = readonly [
  op: string,
  operands: readonly Tensor[],
  attributes?: Readonly<Record<string, OnnxAttribute>>,
  outputs?: number,
];

const cases: readonly Case[] = [
  ["Identity", [a]],
  ["Cast", [x], { to: int(7) }],
  ["Cast", [a], { to: int(1) }],
  ["Cast", [a], { to: int(9) }],
  ...["Add", "Sub", "Mul", "Div"].flatMap((op): Case[] => [
    [op, [a, b]],
    [op, [x, y]],
  ]),
  ["Mod", [a, b]],
  ["Mod", [x, y], { fmod: int(1) }],
  ["Pow", [f32([2, 3, 0.5]), f32([3, -1, 2])]],
  ["Pow", [i64([2, 3]), i64([5, 2])]],
  ...["Min", "Max"].map((op): Case => [op, [a, b]]),
  ...["Neg", "Abs", "Sign", "Floor", "Ceil", "Round"].map((op): Case => [op, [x]]),
  ["Round", [f32([0.5, 1.5, 2.5, -0.5, -1.5])]],
  ["Sqrt", [f32([2, 9, 64])]],
  ["Reciprocal", [f32([2, 9, 64])]],
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"].map((op): Case => [op, [a, i64([5, 0, 7])]]),
  ...["And", "Or"].map((op): Case => [op, [truths(1, 0, 1, 0), truths(1, 1, 0, 0)]]),
  ["Not", [truths(1, 0)]],
  ["Where", [truths(1, 0, 1), a, b]],
  ...["ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin"].flatMap((op): Case[] => [
    [op, [a, i64([1])], { keepdims: int(0) }],
    [op, [a]],
  ]),
  // Lists without elements, whole and along an axis.
  ...["ReduceProd", "ReduceSum"].flatMap((op): Case[] => [
    [op, [i64([])]],
    [op, [f32([])], { keepdims: int(0) }],
    [op, [i64([], [2, 0]), i64([1])], { keepdims: int(0) }],
    [op, [i64([], [2, 0]), i64([0])]],
  ]),
  ["ReduceMax", [f32([], [2, 0]), i64([1])]],
  // Beyond what an element type holds.
  ...[2, 3, 6].map((to): Case => ["Cast", [i64([300, -1, 2 ** 31 + 5, -129, 0])], { to: int(to) }]),
  ["Cast", [i64([16_777_217, 2 ** 31 + 1])], { to: int(1) }],
  ["Cast", [f32([-0.9, 0.2, 0])], { to: int(9) }],
  ["Add", [i32(2 ** 31 - 1, -5), i32(1, -(2 ** 31))]],
  ["Sub", [i32(-(2 ** 31)), i32(1)]],
  ["Mul", [i32(65_536, 3), i32(65_536, 2 ** 30)]],
  ["Neg", [i32(-(2 ** 31))]],
  ["Pow", [i64([2, 1, -1]), i64([-1, -2, -1])]],
  ["Add", [f32([16_777_216]), f32([1])]],
  ["Gather", [a, i64([-1, 0])], { axis: int(1) }],
  ["Gather", [b, i64([1], [])]],
  ["Slice", [a, i64([-1, 5]), i64([-9, 0]), i64([0, 1]), i64([-1, -2])]],
  ["Slice", [b, i64([1]), i64([Number.MAX_SAFE_INTEGER])]],
  ["Concat", [a, i64([1, 2], [2, 1])], { axis: int(-1) }],
  ["Split", [a, i64([1, 2])], { axis: int(1) }, 2],
  ["Split", [b], { axis: int(0), num_outputs: int(2) }, 2],
  ["Transpose", [a], { perm: list(1, 0) }],
  ["Tile", [a, i64([2, 1])]],
  ["Expand", [b, i64([2, 1])]],
  ["Reshape", [a, i64([0, -1, 1])]],
  ["Squeeze", [i64([1, 2], [1, 2, 1]), i64([0])]],
  ["Squeeze", [i64([1, 2], [1, 2, 1])]],
  ["Unsqueeze", [b, i64([0, -1])]],
  ["Range", [i64([2], []), i64([11], []), i64([3], [])]],
  ["Range", [f32([1], []), f32([-1], []), f32([-0.5], [])]],
  ["NonZero", [a]],
  ["Relu", [x]],
  ["Clip", [x, f32([-1], []), f32([2], [])]],
  ["Clip", [a, i64([2], [])]],
  ["Xor", [truths(1, 0, 1, 0), truths(1, 1, 0, 0)]],
  ["IsNaN", [f32([1, Number.NaN, Number.POSITIVE_INFINITY])]],
  ["IsInf", [f32([Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY])], { detect_negative: int(0) }],
  ["ReduceMean", [x, i64([1])], { keepdims: int(0) }],
  ["ArgMax", [i64([1, 5, 5, 2, 0, 2], [2, 3])], { axis: int(1) }],
  ["ArgMax", [i64([1, 5, 5, 2, 0, 2], [2, 3])], { axis: int(-1), select_last_index: int(1), keepdims: int(0) }],
  ["ArgMin", [x], { axis: int(0) }],
  ["CumSum", [a, i64([1], [])]],
  ["CumSum", [a, i64([0], [])], { exclusive: int(1), reverse: int(1) }],
  ["Flatten", [i64([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2])], { axis: int(2) }],
  ["Trilu", [a, i64([1], [])]],
  ["Trilu", [a], { upper: int(0) }],
];

/** As ONNX Runtime evaluates it. */
async function kernel([op, operands, attributes = {}, outputs = 1]: Case): Promise<
  readonly { dims: readonly number[]; data: readonly number[] }[]
> {
  const names = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const model: OnnxModel = {
    ...{ irVersion: 8, opsets: new Map([["", 18]]), producerName: "", producerVersion: "", metadata: new Map() },
    graph: {
      name: "",
      nodes: [{ op, domain: "", name: "", inputs: operands.map((_, i) => `x${i}`), outputs: names, attributes }],
      inputs: [],
      outputs: names.map((name) => ({ name, dtype: "float32", shape: [], unranked: true })),
      initializers: new Map(operands.map((tensor, i) => [`x${i}`, tensor])),
    },
  };
  // What type a result has, ONNX Runtime infers: the stated one must be it.
  const { dtype } = known([op, operands, attributes, outputs])[0]!;
  const { graph } = model;
  const typed = { ...model, graph: { ...graph, outputs: graph.outputs.map((info) => ({ ...info, dtype })) } };
  const session = await InferenceSession.create(encodeModel(typed).bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const results = await session.run({});
  return names.map((name) => {
    const { dims, data } = results[name]!;
    return { dims, data: Array.from(data as ArrayLike<number | bigint>, Number) };
  });
}

function known([op, operands, attributes = {}, outputs = 1]: Case) {
  const names = operands.map((_, i) => `x${i}`);
  const node = {
    op,
    domain: "",
    name: "",
    inputs: names,
    attributes,
    outputs: Array.from({ length: outputs }, (_, i) => `y${i}`),
  };
  const constant = (name: string): Tensor => operands[names.indexOf(name)]!;
  const canonical = canonicalize(node, 18, constant);
  return evaluate(
    canonical,
    canonical.inputs.map((name) => knownOf(constant(name))),
  )!;
}

test.each(
  cases.map(
    (one) => [`${one[0]} of ${one[1].map(({ dtype, shape }) => `${dtype}[${shape}]`).join(", ")}`, one] as const,
  ),
)("%s is what ONNX Runtime gives", async (_, one) => {
  const expected = await kernel(one);
  const found = known(one);
  expect(
    found.map(({ shape, values }) => ({ dims: shape, data: values.map((value) => (value === 0 ? 0 : value)) })),
  ).toEqual(expected.map(({ dims, data }) => ({ dims, data: data.map((value) => (value === 0 ? 0 : value)) })));
});

test("integers divided by zero are refused: they end the process in ONNX Runtime", () => {
  for (const op of ["Div", "Mod"]) expect(() => known([op, [a, i64([0])]])).toThrow(/divides integers by zero/);
  expect(known(["Div", [f32([1]), f32([0])]])[0]!.values).toEqual([Number.POSITIVE_INFINITY]);
});

test("floats beyond an integer's range are left to ONNX Runtime", () => {
  for (const value of [1e10, Number.NaN, Number.NEGATIVE_INFINITY])
    expect(known(["Cast", [f32([value])], { to: int(6) }])).toBeUndefined();
});

test("every evaluator is tried, and large tensors are left to ONNX Runtime", () => {
  expect(Object.keys(evaluators).filter((op) => !cases.some(([tried]) => tried === op))).toEqual([]);
  expect(knownOf(i64(Array.from({ length: 65_537 }, () => 1)))).toBeUndefined();
  expect(numbersOf(a)).toEqual([5, -3, 7, 0, 2, 9]);
});
