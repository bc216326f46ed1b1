import { describe, expect, test } from "vitest";
import type { Tensor } from "../tensor/tensor.ts";
import { decodeModel } from "./decode.ts";
import { encodeModel } from "./encode.ts";
import { OnnxError } from "./errors.ts";
import type { OnnxModel, OnnxNode } from "./model.ts";
import { type Pieces, replaceTensors } from "./replace.ts";

const float32 = (...values: readonly number[]): Tensor<"float32"> => ({
  dtype: "float32",
  shape: [values.length],
  data: Float32Array.from(values),
});

const node = (op: string, outputs: readonly string[], attributes: OnnxNode["attributes"] = {}): OnnxNode => ({
  ...{ op, domain: "", name: "", inputs: ["x"], outputs, attributes },
});

/** Initializers of several types, a `Constant`, and a node of several outputs, whose fields repeat. */
const model: OnnxModel = {
  irVersion: 8,
  opsets: new Map([["", 17]]),
  producerName: "somebody",
  producerVersion: "1.2",
  metadata: new Map([["key", "value"]]),
  graph: {
    name: "graph",
    nodes: [
      node("Split", ["a", "b"], { axis: { kind: "int", value: 1 } }),
      { ...node("Constant", ["c"], { value: { kind: "tensor", value: float32(7, 8) } }), inputs: [] },
    ],
    inputs: [{ name: "x", dtype: "float32", shape: ["batch", 4] }],
    outputs: [{ name: "a", dtype: "float32", shape: ["batch", 2] }],
    initializers: new Map<string, Tensor>([
      ["w", float32(1, 2, 3)],
      ["half", { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0x4000) }],
      ["double", { dtype: "float64", shape: [1], data: Float64Array.of(5) }],
      ["index", { dtype: "int64", shape: [1], data: BigInt64Array.of(3n) }],
    ]),
    valueInfo: [],
  },
};

function joined(pieces: Pieces): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

describe("replaceTensors", () => {
  const { bytes } = encodeModel(model);

  test("gives the same bytes for the same elements", () => {
    const same = new Map([
      ["w", Float32Array.of(1, 2, 3)],
      ["half", Float32Array.of(1, 2)],
      ["c", Float32Array.of(7, 8)],
    ]);
    // Files from this project have raw data last, as the replacement does.
    expect(joined(replaceTensors(bytes, same).model)).toEqual(bytes);
  });

  test("changes these tensors, in their own types, and nothing else", () => {
    const values = new Map([
      ["w", Float32Array.of(-1, 0.1, 9)],
      ["half", Float32Array.of(0.5, 1 / 3)],
      ["double", Float32Array.of(0.25)],
      ["c", Float32Array.of(0, -4)],
    ]);
    const { graph, ...rest } = decodeModel(joined(replaceTensors(bytes, values).model));
    const { graph: _, ...original } = model;
    expect(rest).toEqual(original);
    expect(graph.initializers.get("w")!.data).toEqual(values.get("w"));
    expect(graph.initializers.get("half")!.data).toEqual(Uint16Array.of(0x3800, 0x3555));
    expect(graph.initializers.get("double")!.data).toEqual(Float64Array.of(0.25));
    expect(graph.initializers.get("index")).toEqual(model.graph.initializers.get("index"));
    expect(graph.nodes[1]!.attributes.value).toEqual({ kind: "tensor", value: float32(0, -4) });
    expect(graph.nodes[0]).toEqual(model.graph.nodes[0]);
    expect({ ...graph, nodes: [], initializers: 0 }).toEqual({ ...model.graph, nodes: [], initializers: 0 });
  });

  test("keeps fields that this project does not know", () => {
    // Field 99 is unknown: length-delimited, two bytes.
    const unknown = Uint8Array.of(0x9a, 0x06, 2, 65, 66);
    const extended = Uint8Array.from([...bytes, ...unknown]);
    const replaced = joined(replaceTensors(extended, new Map([["w", Float32Array.of(4, 5, 6)]])).model);
    expect(replaced.slice(-unknown.length)).toEqual(unknown);
    expect(replaced.length).toBe(extended.length);
  });

  test("says where elements lie that are in another file", () => {
    const { bytes: file, external } = encodeModel(model, { externalData: { location: "w.bin", threshold: 12 } });
    const { model: pieces, external: patches } = replaceTensors(file, new Map([["w", Float32Array.of(4, 5, 6)]]));
    expect(joined(pieces)).toEqual(file);
    expect(patches).toEqual([{ location: "w.bin", offset: 0, bytes: new Uint8Array(Float32Array.of(4, 5, 6).buffer) }]);
    expect(external!.length).toBe(12);
  });

  test.each([
    ["a tensor that is not there", "nothing", [1], /no tensor "nothing"/],
    ["another number of elements", "w", [1, 2], /"w" has 3 elements, and 2/],
    ["integers", "index", [1], /"index".*not of floating point/],
  ])("refuses %s", (_, name, values, message) => {
    const replace = () => replaceTensors(bytes, new Map([[name, Float32Array.from(values)]]));
    expect(replace).toThrow(OnnxError);
    expect(replace).toThrow(message);
  });
});
