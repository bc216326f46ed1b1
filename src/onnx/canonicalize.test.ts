import { describe, expect, test } from "vitest";
import type { Tensor } from "../tensor/tensor.ts";
import { canonicalize } from "./canonicalize.ts";
import { constantValue, float32Tensor, int64Tensor, scalarTensor } from "./constants.ts";
import { OnnxError } from "./errors.ts";
import { lower, lowerAll } from "./lower.ts";
import type { OnnxAttribute, OnnxNode } from "./model.ts";

const int = (value: number): OnnxAttribute => ({ kind: "int", value });
const ints = (...value: number[]): OnnxAttribute => ({ kind: "ints", value });
const word = (value: string): OnnxAttribute => ({ kind: "string", value });

const node = (op: string, inputs: readonly string[], attributes: OnnxNode["attributes"] = {}): OnnxNode => ({
  op,
  domain: "",
  name: `/${op}`,
  inputs,
  outputs: ["y"],
  attributes,
});
const constants = (entries: Readonly<Record<string, Tensor>>) => (name: string) => entries[name];
const nothing = constants({});

describe("canonicalize", () => {
  test.each([
    ["Squeeze before 13", node("Squeeze", ["x"], { axes: ints(1) }), 12, { axes: [1] }],
    [
      "ReduceMean before 18",
      node("ReduceMean", ["x"], { axes: ints(-1), keepdims: int(0) }),
      17,
      { axes: [-1], keepdims: 0 },
    ],
    ["a reduction over everything", node("ReduceMax", ["x"]), 18, { keepdims: 1 }],
    ["GridSample's older words", node("GridSample", ["x", "g"], { mode: word("bicubic") }), 16, { mode: "cubic" }],
    ["GridSample's present words", node("GridSample", ["x", "g"], { mode: word("cubic") }), 20, { mode: "cubic" }],
    ["Softmax's default axis", node("Softmax", ["x"]), 13, { axis: -1 }],
    ["Softmax over the last axis before 13", node("Softmax", ["x"], { axis: int(-1) }), 12, { axis: -1 }],
    ["Cast's type", node("Cast", ["x"], { to: int(10) }), 13, { to: "float16" }],
  ])("%s", (_, given, opset, attributes) => {
    const { inputs, attributes: actual } = canonicalize(given, opset, nothing);
    expect(actual).toMatchObject(attributes);
    expect(Object.keys(actual).includes("axes")).toBe("axes" in attributes);
    expect(inputs).toEqual(given.inputs);
  });

  test("an end of INT64_MAX stays past every end, there and back", () => {
    const end = { dtype: "int64", shape: [1], data: BigInt64Array.of(2n ** 63n - 1n) } as const;
    const given = node("Slice", ["x", "one", "end"]);
    const slice = canonicalize(given, 13, constants({ one: int64Tensor([1]), end }));
    expect(slice.attributes).toEqual({ starts: [1], ends: [Number.MAX_SAFE_INTEGER], axes: [0], steps: [1] });
    const lowered = lower(
      slice,
      13,
      () => "float32",
      (hint) => hint,
    );
    expect(new Map(lowered.constants).get("ends")!.data[0]).toBe(BigInt(Number.MAX_SAFE_INTEGER));
  });

  test("an empty axes operand means all axes, or none with noop_with_empty_axes", () => {
    const none = constants({ axes: int64Tensor([]) });
    expect(canonicalize(node("ReduceSum", ["x", "axes"]), 13, none).attributes).toEqual({ keepdims: 1 });
    const noop = node("ReduceSum", ["x", "axes"], { noop_with_empty_axes: int(1) });
    expect(canonicalize(noop, 13, none).attributes).toEqual({ keepdims: 1, axes: [] });
  });

  test("operands left out, or empty in Resize, are no attributes", () => {
    const known = constants({ max: scalarTensor("float16", 6), sizes: int64Tensor([1, 2]), none: float32Tensor([]) });
    expect(canonicalize(node("Clip", ["x", "", "max"]), 13, known)).toMatchObject({
      inputs: ["x"],
      attributes: { max: 6 },
    });
    expect(canonicalize(node("Clip", ["x", "", "max"]), 13, known).attributes).not.toHaveProperty("min");
    const resize = canonicalize(node("Resize", ["x", "none", "none", "sizes"]), 11, known);
    expect(resize).toMatchObject({ inputs: ["x"], attributes: { sizes: [1, 2], mode: "nearest" } });
    expect(resize.attributes).not.toHaveProperty("roi");
    expect(resize.attributes).not.toHaveProperty("scales");
  });

  test("Dropout does nothing when the model is used", () => {
    const known = constants({
      ratio: scalarTensor("float32", 0.5),
      training: scalarTensor("bool", 0),
      on: scalarTensor("bool", 1),
    });
    const identity = { op: "Identity", inputs: ["x"], attributes: {} };
    expect(canonicalize(node("Dropout", ["x", "ratio"]), 13, known)).toMatchObject(identity);
    expect(canonicalize(node("Dropout", ["x", "ratio", "training"]), 13, known)).toMatchObject(identity);
    expect(() => canonicalize(node("Dropout", ["x", "ratio", "on"]), 13, known)).toThrow(/evaluation mode/);
  });

  test("other domains' operators pass as they are", () => {
    const given = { ...node("Reshape", ["x", "shape"]), domain: "com.example" };
    expect(canonicalize(given, 1, nothing)).toMatchObject({
      domain: "com.example",
      inputs: ["x", "shape"],
      attributes: {},
    });
  });

  test.each([
    ["a computed shape", node("Reshape", ["x", "shape"]), 13, /Reshape node "\/Reshape".*shape \(input 1, "shape"\)/],
    ["an opset that is not there yet", node("Add", ["x", "x"]), 27, /opset 27/],
    ["training before opset 7", node("Dropout", ["x"]), 6, /is_test/],
    ["a type that is not carried", node("Cast", ["x"], { to: int(14) }), 13, /element type 14/],
    ["Constant", node("Constant", [], { value: { kind: "tensor", value: int64Tensor([1]) } }), 13, /constantValue/],
    ["strings", node("Relu", ["x"], { words: { kind: "strings", value: [] } }), 13, /Relu.*words/],
  ])("refuses %s", (_, given, opset, message) => {
    expect(() => canonicalize(given, opset, nothing)).toThrow(OnnxError);
    expect(() => canonicalize(given, opset, nothing)).toThrow(message);
  });
});

describe("lower", () => {
  const canonical = (op: string, attributes: Readonly<Record<string, number | string | number[]>>) => ({
    op,
    domain: "",
    inputs: ["x"],
    outputs: ["y"],
    attributes,
  });
  const names = () => {
    let count = 0;
    return (hint: string) => `${hint}_${count++}`;
  };

  test("nodes share equal constants, and only equal ones", () => {
    const nodes = [
      canonical("Reshape", { shape: [2, 3] }),
      canonical("Expand", { shape: [2, 3] }),
      canonical("Expand", { shape: [6] }),
      canonical("Clip", { min: 0, max: 6 }),
      canonical("Clip", { min: 0, max: 5 }),
    ];
    const { constants: entries, nodes: lowered } = lowerAll(nodes, 21, () => "float32", names());
    expect(entries.map(([, { dtype, data }]) => `${dtype} ${data}`)).toEqual([
      "int64 2,3",
      "int64 6",
      "float32 0",
      "float32 6",
      "float32 5",
    ]);
    expect(lowered[0]!.inputs[1]).toBe(lowered[1]!.inputs[1]);
  });

  test("Clip's limits have the type of what it clips", () => {
    const { constants: entries } = lower(canonical("Clip", { min: 1 }), 13, () => "float16", names());
    expect(entries[0]![1]).toEqual({ dtype: "float16", shape: [], data: Uint16Array.of(0x3c00) });
  });

  test.each([
    ["an opset out of range", canonical("Relu", {}), 12, /opset 12/],
    ["a list where a number belongs", canonical("Clip", { min: [1] }), 13, /min must be one number/],
    ["a number where a list belongs", canonical("Reshape", { shape: 1 }), 13, /shape must be a list/],
    ["a type without a name", canonical("Cast", { to: 1 }), 13, /1 is not an element type/],
    [
      "LayerNormalization whose axis counts from the front",
      canonical("LayerNormalization", { axis: 1 }),
      16,
      /negative/,
    ],
  ])("refuses %s", (_, given, opset, message) => {
    expect(() => lower(given, opset, () => "float32", names())).toThrow(OnnxError);
    expect(() => lower(given, opset, () => "float32", names())).toThrow(message);
  });
});

describe("constantValue", () => {
  test("Constant in each of its spellings", () => {
    const tensor = int64Tensor([3], []);
    expect(constantValue(node("Constant", [], { value: { kind: "tensor", value: tensor } }))).toBe(tensor);
    expect(constantValue(node("Constant", [], { value_int: int(3) }))).toEqual(tensor);
    expect(constantValue(node("Constant", [], { value_ints: ints(3, 4) }))).toEqual(int64Tensor([3, 4]));
    const floats: OnnxAttribute = { kind: "floats", value: [0.5] };
    expect(constantValue(node("Constant", [], { value_floats: floats }))).toEqual(float32Tensor([0.5]));
    const half: OnnxAttribute = { kind: "float", value: 0.5 };
    expect(constantValue(node("Constant", [], { value_float: half }))).toEqual(scalarTensor("float32", 0.5));
  });

  test("no other node", () => {
    expect(constantValue(node("Relu", ["x"]))).toBeUndefined();
  });
});
