import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocate, type DType, type Tensor } from "../tensor/tensor.ts";
import { decodeModel } from "./decode.ts";
import { encodeModel } from "./encode.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, ValueInfo } from "./model.ts";

const dtypes: readonly DType[] = [
  ...(["float32", "float64", "float16", "uint4", "int4", "uint8", "int8", "uint16", "int16"] as const),
  ...(["uint32", "int32", "uint64", "int64", "bool"] as const),
];
/** Number of byte patterns to try per element. Each stands for a different element. */
const sizes: Partial<Record<DType, number>> = { bool: 2, uint4: 16, int4: 8 };
const word = fc.string({ maxLength: 12, unit: "grapheme" });
const integer = fc.maxSafeInteger();
const float = fc.float({ noNaN: true });

const tensor: fc.Arbitrary<Tensor> = fc
  .record({
    dtype: fc.constantFrom(...dtypes),
    shape: fc.oneof(fc.array(fc.nat(4), { maxLength: 3 }), fc.constant([1500])),
    seed: fc.nat(255),
  })
  .map(({ dtype, shape, seed }) => {
    const data = allocate(dtype, shape);
    new Uint8Array(data.buffer).forEach((_, i, bytes) => {
      bytes[i] = (seed + i) % (sizes[dtype] ?? 120);
    });
    return { dtype, shape, data };
  });

const plainAttribute: fc.Arbitrary<OnnxAttribute> = fc.oneof(
  fc.record({ kind: fc.constant("int" as const), value: integer }),
  fc.record({ kind: fc.constant("float" as const), value: float }),
  fc.record({ kind: fc.constant("string" as const), value: word }),
  fc.record({ kind: fc.constant("ints" as const), value: fc.array(integer) }),
  fc.record({ kind: fc.constant("floats" as const), value: fc.array(float) }),
  fc.record({ kind: fc.constant("strings" as const), value: fc.array(word) }),
  fc.record({ kind: fc.constant("tensor" as const), value: tensor }),
);
const nodeWith = (attribute: fc.Arbitrary<OnnxAttribute>): fc.Arbitrary<OnnxNode> =>
  fc.record({
    op: word,
    domain: fc.constantFrom("", "com.microsoft"),
    name: word,
    inputs: fc.array(word),
    outputs: fc.array(word),
    attributes: fc.dictionary(
      word.filter((name) => name !== "__proto__"),
      attribute,
      { noNullPrototype: true },
    ),
  });
const valueInfo: fc.Arbitrary<ValueInfo> = fc.oneof(
  fc.record({
    name: word,
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.oneof(fc.nat(), word)),
  }),
  fc.record({
    name: word,
    dtype: fc.constantFrom(...dtypes),
    shape: fc.constant([]),
    unranked: fc.constant(true as const),
  }),
);
const graphWith = (attribute: fc.Arbitrary<OnnxAttribute>): fc.Arbitrary<OnnxGraph> =>
  fc.record({
    name: word,
    nodes: fc.array(nodeWith(attribute), { maxLength: 3 }),
    inputs: fc.array(valueInfo, { maxLength: 3 }),
    outputs: fc.array(valueInfo, { maxLength: 3 }),
    initializers: fc.array(fc.tuple(word, tensor), { maxLength: 3 }).map((entries) => new Map(entries)),
    valueInfo: fc.array(valueInfo, { maxLength: 3 }),
  });
const subgraph: fc.Arbitrary<OnnxAttribute> = graphWith(plainAttribute).map((value) => ({ kind: "graph", value }));
const model: fc.Arbitrary<OnnxModel> = fc.record(
  {
    irVersion: fc.integer({ min: 3, max: 10 }),
    opsets: fc.integer({ min: 11, max: 21 }).map(
      (opset) =>
        new Map([
          ["", opset],
          ["com.microsoft", 1],
        ]),
    ),
    producerName: word,
    producerVersion: word,
    docString: word,
    metadata: fc.array(fc.tuple(word, word)).map((entries) => new Map(entries)),
    graph: graphWith(fc.oneof(plainAttribute, subgraph)),
  },
  { requiredKeys: ["irVersion", "opsets", "producerName", "producerVersion", "metadata", "graph"] },
);

const small: OnnxModel = {
  irVersion: 8,
  opsets: new Map([["", 17]]),
  producerName: "test",
  producerVersion: "1",
  metadata: new Map(),
  graph: {
    name: "g",
    nodes: [{ op: "Add", domain: "", name: "add", inputs: ["x", "w"], outputs: ["y"], attributes: {} }],
    inputs: [{ name: "x", dtype: "float32", shape: ["batch", 2] }],
    outputs: [{ name: "y", dtype: "float32", shape: ["batch", 2] }],
    initializers: new Map([["w", { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) }]]),
    valueInfo: [],
  },
};

describe("round trip", () => {
  test("a model comes back as it was", () => {
    fc.assert(
      fc.property(model, (original) => {
        expect(decodeModel(encodeModel(original).bytes)).toEqual(original);
      }),
    );
  });

  test("so does one with external data, whatever the threshold", () => {
    fc.assert(
      fc.property(model, fc.nat(8000), (original, threshold) => {
        const { bytes, external } = encodeModel(original, { externalData: { location: "w.bin", threshold } });
        const decoded = decodeModel(bytes, (location, offset, length) => {
          expect(location).toBe("w.bin");
          return external!.subarray(offset, offset + length!);
        });
        expect(decoded).toEqual(original);
        const large = [...original.graph.initializers.values()]
          .map(({ dtype, data }) => (/int4$/.test(dtype) ? Math.ceil(data.length / 2) : data.byteLength))
          .filter((length) => length > 0 && length >= threshold);
        expect(external!.length).toBeGreaterThanOrEqual(large.reduce((sum, length) => sum + length, 0));
        expect(external!.length > 0).toBe(large.length > 0);
      }),
    );
  });

  test("external tensors are views of their file", () => {
    const { bytes, external } = encodeModel(small, { externalData: { location: "w", threshold: 0 } });
    expect(decodeModel(bytes, () => external!).graph.initializers.get("w")!.data.buffer).toBe(external!.buffer);
  });

  test("a Buffer at an odd offset reads the same, and its tensors are plain arrays", () => {
    const { bytes } = encodeModel(small);
    const odd = Buffer.alloc(bytes.length + 3).subarray(3);
    odd.set(bytes);
    expect(decodeModel(odd)).toEqual(small);
  });
});

test("encoding refuses a tensor that does not fit its shape, and a fractional int", () => {
  const broken = { dtype: "float32", shape: [3], data: Float32Array.of(1) } as const;
  const graph = { ...small.graph, initializers: new Map([["w", broken]]) };
  expect(() => encodeModel({ ...small, graph })).toThrow(/tensor w has shape \[3\] but 1/);
  const node = { ...small.graph.nodes[0]!, attributes: { axis: { kind: "int", value: 0.5 } as const } };
  expect(() => encodeModel({ ...small, graph: { ...small.graph, nodes: [node] } })).toThrow(/axis.*0.5/);
});
