import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { fromHalf } from "../tensor/half.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { residualNetwork } from "../testing/onnx-networks.ts";
import { encodeModel } from "./encode.ts";
import { toFloat16 } from "./float16.ts";
import type { OnnxGraph, OnnxModel, OnnxNode } from "./model.ts";

const float = (...data: readonly number[]): Tensor => ({
  dtype: "float32",
  shape: [data.length],
  data: Float32Array.from(data),
});

const node = (op: string, inputs: readonly string[], output: string, attributes: OnnxNode["attributes"] = {}) => ({
  ...{ op, domain: "", name: output, inputs, outputs: [output], attributes },
});

const model = (graph: Omit<OnnxGraph, "name">): OnnxModel => ({
  irVersion: 8,
  opsets: new Map([["", 17]]),
  producerName: "",
  producerVersion: "",
  metadata: new Map(),
  graph: { name: "g", ...graph },
});

async function run(subject: OnnxModel, feeds: Readonly<Record<string, OrtTensor>>) {
  const session = await InferenceSession.create(encodeModel(subject).bytes, { logSeverityLevel: 3 });
  return session.run(feeds);
}

test("a network keeps its float32 inputs and outputs; weights take half, results are within float16's rounding", async () => {
  const network = residualNetwork();
  const half = toFloat16(network);
  expect([half.graph.inputs, half.graph.outputs]).toEqual([network.graph.inputs, network.graph.outputs]);
  const dtypes = [...half.graph.initializers.values()].map(({ dtype }) => dtype);
  expect(dtypes).not.toContain("float32");
  const pixels = Float32Array.from({ length: 2 * 3 * 16 * 16 }, (_, i) => Math.sin(i));
  const feeds = { input: new OrtTensor("float32", pixels, [2, 3, 16, 16]) };
  const [wide, narrow] = [(await run(network, feeds)).logits!, (await run(half, feeds)).logits!];
  expect([narrow.type, narrow.dims]).toEqual([wide.type, wide.dims]);
  const [a, b] = [wide.data as Float32Array, narrow.data as Float32Array];
  const error = Math.hypot(...a.map((x, i) => x - b[i]!)) / Math.hypot(...a);
  // Rounded to 11 bits (5e-4) in each of about ten layers; and rounded at all, else nothing was computed in float16.
  expect(error).toBeLessThan(5e-3);
  expect(error).toBeGreaterThan(1e-5);
});

test("numbers that float16 lacks become its nearest finite ones, zero and infinity stay", () => {
  const [large, eps] = [1e30, 1e-12];
  const half = toFloat16(
    model({
      nodes: [node("Add", ["x", "c"], "y")],
      inputs: [{ name: "x", dtype: "float32", shape: [5] }],
      outputs: [{ name: "y", dtype: "float32", shape: [5] }],
      initializers: new Map([["c", float(large, -large, eps, 0, Number.NEGATIVE_INFINITY)]]),
    }),
  );
  const patterns = half.graph.initializers.get("c")!.data as Uint16Array;
  expect(Array.from(patterns, fromHalf)).toEqual([65504, -65504, 2 ** -24, 0, Number.NEGATIVE_INFINITY]);
});

test("scales of Resize stay what they are: rounded, 8/7 of 7 pixels would be 7", async () => {
  const resize = (scales: readonly OnnxNode[], initializers: ReadonlyMap<string, Tensor>) =>
    toFloat16(
      model({
        nodes: [...scales, node("Resize", ["x", "", "scales"], "y", { mode: { kind: "string", value: "nearest" } })],
        inputs: [{ name: "x", dtype: "float32", shape: [1, 1, 7, 7] }],
        outputs: [{ name: "y", dtype: "float32", shape: [1, 1, "h", "w"] }],
        initializers,
      }),
    );
  const scale = Math.fround(8 / 7 + 1e-6);
  const feeds = { x: new OrtTensor("float32", new Float32Array(49), [1, 1, 7, 7]) };
  const given = resize([], new Map([["scales", float(1, 1, scale, scale)]]));
  expect((await run(given, feeds)).y!.dims).toEqual([1, 1, 8, 8]);
  const constant = node("Constant", [], "scales", { value_floats: { kind: "floats", value: [1, 1, scale, scale] } });
  expect((await run(resize([constant], new Map()), feeds)).y!.dims).toEqual([1, 1, 8, 8]);
  const computed = [node("Add", ["half", "half"], "scales")];
  expect((await run(resize(computed, new Map([["half", float(0.5, 0.5, 1, 1)]])), feeds)).y!.dims).toEqual([
    1, 1, 14, 14,
  ]);
});

test("constants in attributes and in branches, casts, and outputs that other nodes read", async () => {
  const branch = (name: string, value: number): OnnxGraph => ({
    name,
    nodes: [
      node("Constant", [], `${name}/c`, { value_float: { kind: "float", value } }),
      node("Mul", ["x", `${name}/c`], `${name}/y`),
    ],
    inputs: [],
    outputs: [{ name: `${name}/y`, dtype: "float32", shape: [2] }],
    initializers: new Map(),
  });
  const subject = model({
    nodes: [
      node("If", ["flag"], "a", {
        then_branch: { kind: "graph", value: branch("yes", 2) },
        else_branch: { kind: "graph", value: branch("no", 3) },
      }),
      node("Cast", ["n"], "m", { to: { kind: "int", value: 1 } }),
      node("ConstantOfShape", ["two"], "zeros"),
      node("Sum", ["a", "m", "zeros"], "b"),
    ],
    inputs: [
      { name: "x", dtype: "float32", shape: [2] },
      { name: "n", dtype: "int64", shape: [2] },
      { name: "flag", dtype: "bool", shape: [] },
    ],
    outputs: [
      { name: "a", dtype: "float32", shape: [2] },
      { name: "b", dtype: "float32", shape: [2] },
    ],
    initializers: new Map([["two", { dtype: "int64", shape: [1], data: BigInt64Array.of(2n) }]]),
  });
  const feeds = {
    x: new OrtTensor("float32", Float32Array.of(1, 2), [2]),
    n: new OrtTensor("int64", BigInt64Array.of(5n, 6n), [2]),
    flag: new OrtTensor("bool", Uint8Array.of(0), []),
  };
  // Small integers are exact in float16.
  const { a, b } = await run(toFloat16(subject), feeds);
  expect([[...(a!.data as Float32Array)], [...(b!.data as Float32Array)]]).toEqual([
    [3, 6],
    [8, 12],
  ]);
});

test("casts of float32 to float32 are left out, others stay", async () => {
  const toFloat = { to: { kind: "int", value: 1 } } as const;
  const subject = model({
    nodes: [
      node("Shape", ["x"], "shape"),
      node("Cast", ["shape"], "size", toFloat),
      node("Sqrt", ["size"], "root"),
      node("Cast", ["root"], "same", toFloat),
      node("Equal", ["x", "x"], "true"),
      node("Cast", ["true"], "one", toFloat),
      node("Where", ["true", "same", "one"], "chosen"),
      node("Cast", ["chosen"], "y", toFloat),
    ],
    inputs: [{ name: "x", dtype: "float32", shape: [4] }],
    outputs: [{ name: "y", dtype: "float32", shape: [4] }],
    initializers: new Map(),
  });
  const half = toFloat16(subject);
  const ops = (outputs: readonly string[]) =>
    outputs.map((name) => half.graph.nodes.find((n) => n.outputs[0] === name)!.op);
  expect(ops(["size", "same", "one", "y/cast"])).toEqual(["Cast", "Identity", "Cast", "Identity"]);
  const { y } = await run(half, { x: new OrtTensor("float32", new Float32Array(4), [4]) });
  expect([...(y!.data as Float32Array)]).toEqual([2, 2, 2, 2]);
});
