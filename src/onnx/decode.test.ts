import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../tensor/tensor.ts";
import { decodeModel } from "./decode.ts";
import { encodeModel } from "./encode.ts";
import { OnnxError } from "./errors.ts";
import type { OnnxModel } from "./model.ts";

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

type Write = (writer: BinaryWriter) => unknown;
const field =
  (number: number, write: Write): Write =>
  (writer) => {
    const inner = new BinaryWriter();
    write(inner);
    writer.tag(number, WireType.LengthDelimited).bytes(inner.finish());
  };
const all =
  (...parts: readonly Write[]): Write =>
  (writer) => {
    for (const part of parts) part(writer);
  };
const varint =
  (number: number, value: number | bigint): Write =>
  (writer) =>
    writer.tag(number, WireType.Varint).int64(value);
const text = (number: number, value: string): Write =>
  field(number, (writer) => writer.raw(new TextEncoder().encode(value)));

/** A model written by hand, whose one initializer is made of these fields. */
function fileWith(...tensorFields: readonly Write[]): Uint8Array {
  const writer = new BinaryWriter();
  all(varint(1, 8), field(8, varint(2, 17)), field(7, field(5, all(text(8, "w"), ...tensorFields))))(writer);
  return writer.finish();
}
const initializer = (bytes: Uint8Array) => decodeModel(bytes).graph.initializers.get("w");

describe("tensors as other writers store them", () => {
  const packed = (number: number, values: readonly number[], write: (w: BinaryWriter, v: number) => unknown): Write =>
    field(number, (w) => {
      for (const v of values) write(w, v);
    });
  const cases: readonly [name: string, type: number, data: Write, expected: Tensor][] = [
    [
      "float_data, packed",
      1,
      packed(4, [1.5, -2], (w, v) => w.float(v)),
      { dtype: "float32", shape: [2], data: Float32Array.of(1.5, -2) },
    ],
    [
      "float_data, one by one",
      1,
      all(
        (w) => w.tag(4, WireType.Bit32).float(1.5),
        (w) => w.tag(4, WireType.Bit32).float(-2),
      ),
      { dtype: "float32", shape: [2], data: Float32Array.of(1.5, -2) },
    ],
    [
      "double_data",
      11,
      packed(10, [1.5, -2], (w, v) => w.double(v)),
      { dtype: "float64", shape: [2], data: Float64Array.of(1.5, -2) },
    ],
    [
      "int64_data",
      7,
      packed(7, [-1, 2 ** 40], (w, v) => w.int64(v)),
      { dtype: "int64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) },
    ],
    [
      "int32_data",
      6,
      packed(5, [-1, 7], (w, v) => w.int32(v)),
      { dtype: "int32", shape: [2], data: Int32Array.of(-1, 7) },
    ],
    [
      "int8 in int32_data",
      3,
      packed(5, [-1, 7], (w, v) => w.int32(v)),
      { dtype: "int8", shape: [2], data: Int8Array.of(-1, 7) },
    ],
    [
      "uint8 in int32_data",
      2,
      packed(5, [255, 7], (w, v) => w.int32(v)),
      { dtype: "uint8", shape: [2], data: Uint8Array.of(255, 7) },
    ],
    [
      "bool in int32_data",
      9,
      packed(5, [1, 0], (w, v) => w.int32(v)),
      { dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) },
    ],
    [
      "float16 in int32_data",
      10,
      packed(5, [0x3c00, 0xc000], (w, v) => w.int32(v)),
      { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
    ],
    [
      "bfloat16 in int32_data",
      16,
      packed(5, [0x3f80, 0xc000], (w, v) => w.int32(v)),
      { dtype: "float32", shape: [2], data: Float32Array.of(1, -2) },
    ],
    [
      "int16 in int32_data",
      5,
      packed(5, [-300, 7], (w, v) => w.int32(v)),
      { dtype: "int16", shape: [2], data: Int16Array.of(-300, 7) },
    ],
    [
      "uint32 in uint64_data",
      12,
      packed(11, [2 ** 32 - 1, 7], (w, v) => w.uint64(v)),
      { dtype: "uint32", shape: [2], data: Uint32Array.of(2 ** 32 - 1, 7) },
    ],
    [
      "uint64 in uint64_data",
      13,
      packed(11, [2 ** 40, 7], (w, v) => w.uint64(v)),
      { dtype: "uint64", shape: [2], data: BigUint64Array.of(2n ** 40n, 7n) },
    ],
    [
      "int4 in raw_data, two a byte",
      22,
      field(9, (w) => w.raw(Uint8Array.of(0x8f))),
      { dtype: "int4", shape: [2], data: Int8Array.of(-1, -8) },
    ],
    [
      "uint4 in int32_data, two an entry",
      21,
      packed(5, [0x8f], (w, v) => w.int32(v)),
      { dtype: "uint4", shape: [2], data: Uint8Array.of(15, 8) },
    ],
    [
      "bfloat16 in raw_data",
      16,
      field(9, (w) => w.raw(Uint8Array.of(0x80, 0x3f, 0x00, 0xc0))),
      { dtype: "float32", shape: [2], data: Float32Array.of(1, -2) },
    ],
  ];
  test.each(cases)("%s", (_, type, data, expected) => {
    expect(initializer(fileWith(varint(1, 2), varint(2, type), data))).toEqual(expected);
  });

  test("unknown fields of every wire type are skipped", () => {
    const unknown = all(
      varint(900, 5),
      text(901, "later"),
      (w) => w.tag(902, WireType.Bit32).float(1),
      (w) => w.tag(903, WireType.Bit64).double(1),
    );
    const known = [varint(1, 1), varint(2, 6), field(5, (w) => w.int32(42))];
    expect(initializer(fileWith(unknown, ...known, unknown))).toEqual({
      dtype: "int32",
      shape: [1],
      data: Int32Array.of(42),
    });
  });
});

describe("files that cannot be used", () => {
  const { bytes } = encodeModel(small);

  test("cut short anywhere, a file is refused", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeModel(bytes.subarray(0, length)), `${length} bytes`).toThrow(OnnxError);
    }
  });

  test("damaged anywhere, a file is refused with an OnnxError or still reads", () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const damaged = bytes.slice();
        damaged[at] = byte;
        try {
          decodeModel(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(OnnxError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  const ascii = (value: string) => new TextEncoder().encode(value);
  test.each([
    ["nothing", new Uint8Array(), /0 bytes/],
    ["a web page", ascii("<!DOCTYPE html><html></html>"), /<!DOCTYPE/],
    ["a Git LFS pointer", ascii("version https://git-lfs.github.com/spec/v1\n"), /git lfs pull/],
    ["a type that is not carried", fileWith(varint(1, 1), varint(2, 14)), /"w".*element type 14/],
    [
      "too few elements",
      fileWith(
        varint(1, 3),
        varint(2, 6),
        field(5, (w) => w.int32(1)),
      ),
      /"w".*3 elements.*1 elements/,
    ],
    ["half an element", fileWith(varint(1, 1), varint(2, 1), text(9, "abc")), /"w".*3 bytes/],
  ])("%s", (_, file, message) => {
    expect(() => decodeModel(file)).toThrow(OnnxError);
    expect(() => decodeModel(file)).toThrow(message);
  });

  test("external data that is missing, unreadable or short", () => {
    const { bytes: file, external } = encodeModel(small, { externalData: { location: "weights.bin", threshold: 0 } });
    expect(() => decodeModel(file)).toThrow(/"w".*"weights.bin"/);
    const cause = new Error("no such file");
    const unreadable = () => {
      throw cause;
    };
    expect(() => decodeModel(file, unreadable)).toThrow(expect.objectContaining({ cause }));
    expect(() => decodeModel(file, () => external!.subarray(1))).toThrow(/"w".*holds 7 bytes/);
  });
});
