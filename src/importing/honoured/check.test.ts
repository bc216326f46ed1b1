import { describe, expect, test } from "vitest";
import { GraphError } from "../../graph/errors.ts";
import type { OnnxAttribute, OnnxModel, OnnxNode } from "../../onnx/index.ts";
import { importModel } from "../import-model.ts";
import { checkHonoured } from "./check.ts";

const int = (value: number): OnnxAttribute => ({ kind: "int", value });
const word = (value: string): OnnxAttribute => ({ kind: "string", value });

function node(
  op: string,
  inputs: string,
  outputs = "y",
  attributes: OnnxNode["attributes"] = {},
  domain = "",
): OnnxNode {
  const names = (text: string): string[] => text.split(" ").map((name) => (name === "-" ? "" : name));
  return { op, domain, name: "n", inputs: names(inputs), outputs: names(outputs), attributes };
}

const everything = (): boolean => true;
const onlyY = (name: string): boolean => name === "y";

describe("what is not honoured is refused by name", () => {
  test.each([
    ["an operator", node("TfIdfVectorizer", "x"), /operator TfIdfVectorizer is not supported/],
    ["an input that is left out", node("PRelu", "x -"), /PRelu n: input 1 \(slope\) is left out/],
    ["an attribute that is left out", node("LRN", "x"), /LRN n: attribute size is left out/],
    ["an operator of a name that objects have", node("constructor", "x"), /operator constructor is not supported/],
    ["another domain's", node("Relu", "x", "y", {}, "ai.example"), /operator ai.example:Relu is not supported/],
    ["an attribute", node("Relu", "x", "y", { alpha: int(1) }), /Relu n: attribute alpha = 1 is not supported/],
    [
      "an attribute of a name that objects have",
      node("Relu", "x", "y", { toString: int(1) }),
      /attribute toString = 1/,
    ],
    ["a value of an attribute", node("Pad", "x", "y", { mode: word("mirror") }), /attribute mode = mirror/],
    [
      "rotary attention",
      node("Attention", "x w", "y", { num_heads: int(2), do_rotary: int(1) }, "com.microsoft"),
      /attribute do_rotary = 1/,
    ],
    [
      "an input",
      node("Attention", "x w - - - - n", "y", { num_heads: int(2) }, "com.microsoft"),
      /input 6 \(past_sequence_length\)/,
    ],
    ["one input more than there are", node("Relu", "x x"), /input 1 is not supported/],
    ["an input that is left out", node("Gemm", "x - c"), /input 1 \(B\) is left out/],
    ["an output", node("SkipLayerNormalization", "x s g", "y m", {}, "com.microsoft"), /output 1 \(mean\)/],
  ])("%s", (_, given, message) => {
    expect(() => checkHonoured(given, everything, 21)).toThrow(GraphError);
    expect(() => checkHonoured(given, everything, 21)).toThrow(message);
  });
});

test("an output that was something else before an opset is refused there", () => {
  const dropout = node("Dropout", "x", "y mask");
  expect(() => checkHonoured(dropout, everything, 10)).toThrow(/output 1 \(mask, before opset 12\)/);
  expect(() => checkHonoured(dropout, onlyY, 10)).not.toThrow();
  expect(() => checkHonoured(dropout, everything, 12)).not.toThrow();
});

test.each([
  [
    "inputs and outputs that are left out",
    node("MultiHeadAttention", "q k v - -", "y -", { num_heads: int(2) }, "com.microsoft"),
  ],
  ["an output that nobody reads", node("SkipLayerNormalization", "x s g", "y m v", {}, "com.microsoft")],
  ["any number of repeated inputs", node("Concat", "a b c d e f", "y", { axis: int(0) })],
  ["an attribute that changes nothing", node("Cast", "x", "y", { to: int(1), saturate: int(1) })],
])("%s pass", (_, given) => {
  expect(() => checkHonoured(given, onlyY, 21)).not.toThrow();
});

test("the importer asks for every node that the outputs need, those of branches too, and no other", () => {
  const bad = node("Relu", "x", "bad", { alpha: int(1) });
  const model = (nodes: readonly OnnxNode[]): OnnxModel => ({
    ...{ irVersion: 8, opsets: new Map([["", 17]]), producerName: "", producerVersion: "", metadata: new Map() },
    graph: {
      ...{ name: "", nodes, inputs: [{ name: "x", dtype: "float32", shape: [2] }] },
      outputs: [{ name: "y", dtype: "float32", shape: [2] }],
      initializers: new Map([["yes", { dtype: "bool", shape: [], data: Uint8Array.of(1) }]]),
    },
  });
  expect(() => importModel(model([bad, node("Relu", "x")]))).not.toThrow();
  expect(() => importModel(model([bad, node("Relu", "bad")]))).toThrow(/attribute alpha/);
  const branch = (inner: OnnxNode): OnnxAttribute => ({
    kind: "graph",
    value: {
      ...{ name: "", nodes: [inner], inputs: [], initializers: new Map() },
      outputs: [{ name: inner.outputs[0]!, dtype: "float32", shape: [2] }],
    },
  });
  const choice = (yes: OnnxNode, no: OnnxNode): OnnxModel =>
    model([node("If", "yes", "y", { then_branch: branch(yes), else_branch: branch(no) })]);
  expect(() => importModel(choice(bad, node("Relu", "x", "z")))).toThrow(/attribute alpha/);
  expect(() => importModel(choice(node("Relu", "x", "z"), bad))).not.toThrow();
});
