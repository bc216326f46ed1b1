import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { importModel } from "../importing/import-model.ts";
import { compile } from "../runtime/index.ts";
import { decodeModel } from "./decode.ts";
import { encodeModel } from "./encode.ts";
import { OnnxError } from "./errors.ts";
import {
  type AttributeProto,
  AttributeType,
  attributeProto,
  type FunctionProto,
  functionProto,
  ModelProto,
  type NodeProto,
  nodeProto,
  tensorProto,
} from "./proto.ts";
import { readMessage, writeMessage } from "./wire.ts";

const words = (text: string): readonly string[] => text.split(" ").map((word) => (word === "-" ? "" : word));

const node = (opType: string, input: string, output: string, more: Partial<NodeProto> = {}): NodeProto =>
  nodeProto({ opType, input: words(input), output: words(output), ...more });
const call = (opType: string, input: string, output: string, ...attribute: AttributeProto[]): NodeProto =>
  node(opType, input, output, { domain: "ours", attribute });

const float = (name: string, f: number): AttributeProto => attributeProto({ name, type: AttributeType.float, f });
/** In a body: what the call says of `from`. */
const referred = (name: string, from: string): AttributeProto =>
  attributeProto({ name, type: AttributeType.float, refAttrName: from });

const define = (name: string, input: string, output: string, body: NodeProto[], ...defaults: AttributeProto[]) =>
  functionProto({
    ...{ name, domain: "ours", input: words(input), output: words(output), node: body, attributeProto: defaults },
    opsetImport: [
      { domain: "", version: 17n },
      { domain: "ours", version: 1n },
    ],
  });

/** A file with one input x and one output y of [2, 3], and these functions. */
function fileWith(nodes: readonly NodeProto[], functions: readonly FunctionProto[]): Uint8Array {
  const info = { dtype: "float32", shape: [2, 3] } as const;
  const { bytes } = encodeModel({
    ...{ irVersion: 10, producerName: "", producerVersion: "", metadata: new Map() },
    opsets: new Map([
      ["", 17],
      ["ours", 1],
    ]),
    graph: {
      ...{ name: "", nodes: [], initializers: new Map() },
      inputs: [{ name: "x", ...info }],
      outputs: [{ name: "y", ...info }],
    },
  });
  const proto = readMessage(ModelProto, bytes);
  return writeMessage(ModelProto, { ...proto, graph: { ...proto.graph!, node: nodes }, functions })
    .finish()
    .join();
}

const x = Float32Array.of(-2, -1, 0.5, 1, 2, 3);

async function both(file: Uint8Array): Promise<readonly [ours: readonly number[], theirs: readonly number[]]> {
  const session = await InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const { y } = await session.run({ x: new Tensor("float32", x, [2, 3]) });
  const program = await compile(Object.fromEntries(importModel(file).outputs), { threads: 1 });
  const result = await program.run({ x });
  return [Array.from(result.y!, Number), Array.from(y!.data as Float32Array)];
}

const slope = define(
  "Slope",
  "a",
  "b",
  [node("LeakyRelu", "a", "b", { attribute: [referred("alpha", "by")] })],
  float("by", 0.5),
);

describe("functions that a model defines", () => {
  test.each([
    [
      "twice, with values of the same names inside",
      [call("Square", "x", "h"), call("Square", "h", "y")],
      [define("Square", "a", "b", [node("Abs", "a", "t"), node("Mul", "t a", "b")])],
    ],
    ["attributes of the call", [call("Slope", "x", "y", float("by", 0.25))], [slope]],
    ["attributes by default", [call("Slope", "x", "y")], [slope]],
    [
      "functions in functions, with attributes handed on",
      [call("Outer", "x", "y", float("of", 0.125))],
      [
        slope,
        define("Outer", "a", "b", [
          node("Neg", "a", "n"),
          call("Slope", "n", "s", referred("by", "of")),
          node("Add", "s a", "b"),
        ]),
      ],
    ],
    [
      "inputs and outputs that are left out",
      [call("Two", "x -", "y -")],
      [define("Two", "a most", "b c", [node("Clip", "a - most", "b"), node("Neg", "b", "c")])],
    ],
  ] as const)("%s", async (_, nodes, functions) => {
    const [ours, theirs] = await both(fileWith(nodes, functions));
    expect(ours).toEqual(theirs);
  });

  test("a branch within a function reads the function's values", async () => {
    const branch = (name: string, op: string): AttributeProto =>
      attributeProto({
        ...{ name, type: AttributeType.graph },
        g: {
          ...{ name, node: [node(op, "a", "r")], initializer: [], input: [], valueInfo: [], sparseInitializer: [] },
          output: [{ name: "r", type: { tensorType: { elemType: 1, shape: undefined } } }],
        },
      });
    const constant = node("Constant", "", "yes", {
      ...{ input: [] },
      attribute: [
        attributeProto({
          ...{ name: "value", type: AttributeType.tensor },
          t: tensorProto({ dataType: 9, int32Data: [1] }),
        }),
      ],
    });
    const choice = node("If", "yes", "b", { attribute: [branch("then_branch", "Neg"), branch("else_branch", "Abs")] });
    const [ours, theirs] = await both(
      fileWith([call("Choose", "x", "h"), call("Choose", "h", "y")], [define("Choose", "a", "b", [constant, choice])]),
    );
    expect(ours).toEqual(theirs);
    expect(ours).toEqual([...x]);
  });

  test("one that could be a standard operator is refused", () => {
    const mish = { ...define("Mish", "a", "b", [node("Sin", "a", "b")]), domain: "" };
    expect(() => decodeModel(fileWith([node("Mish", "x", "y")], [mish]))).toThrow(/domain of the standard operators/);
  });

  test("those that call themselves are refused, and those that grow without end", () => {
    const circle = [define("A", "a", "b", [call("B", "a", "b")]), define("B", "a", "b", [call("A", "a", "b")])];
    expect(() => decodeModel(fileWith([call("A", "x", "y")], circle))).toThrow(/function A calls itself: A > B > A/);
    // Each function calls the next ten times, eight levels deep.
    const levels = Array.from({ length: 8 }, (_, level) => {
      const calls = Array.from({ length: 10 }, (_, i) =>
        call(`L${level + 1}`, i ? `t${i - 1}` : "a", i < 9 ? `t${i}` : "b"),
      );
      return define(`L${level}`, "a", "b", calls);
    });
    const last = define("L8", "a", "b", [node("Neg", "a", "b")]);
    expect(() => decodeModel(fileWith([call("L0", "x", "y")], [...levels, last]))).toThrow(OnnxError);
  });
});
