import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "./errors.ts";
import { writeAtomically } from "./files.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  readTensorNames,
  safetensorsPieces,
} from "./safetensors.ts";
import { allocate, type DType, type Tensor } from "./tensor/tensor.ts";

const tensor: fc.Arbitrary<Tensor> = fc
  .record({
    dtype: fc.constantFrom<DType>("float32", "float64", "float16", "uint8", "int8", "int32", "int64", "bool"),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
    seed: fc.nat(100),
  })
  .map(({ dtype, shape, seed }) => {
    const data = allocate(dtype, shape);
    new Uint8Array(data.buffer).forEach((_, i, bytes) => {
      bytes[i] = (seed + i) % 120;
    });
    return { dtype, shape, data };
  });
const name = fc.oneof(fc.string(), fc.nat(20).map(String)).filter((text) => text !== "__metadata__");

/** A file with this header, written out by hand, and this many bytes of data. */
function file(header: unknown, dataLength = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
const f32 = (shape: readonly number[], begin: number, end: number) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("round trip", () => {
  test("tensors, their order and metadata come back as they were", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, tensor)),
        fc.array(fc.tuple(fc.string(), fc.string())),
        (entries, strings) => {
          const [tensors, metadata] = [new Map(entries), new Map(strings)];
          const bytes = encodeSafetensors(tensors, metadata);
          const decoded = decodeSafetensors(bytes);
          expect(decoded).toEqual({ tensors, metadata });
          const nonEmpty = (map: ReadonlyMap<string, Tensor>) =>
            [...map].filter(([, { data }]) => data.length).map(([key]) => key);
          expect(nonEmpty(decoded.tensors)).toEqual(nonEmpty(tensors));
          expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
        },
      ),
    );
  });

  test("aligned tensors are views, and a Buffer at an odd offset reads the same", () => {
    const tensors = new Map([["w", { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) } as const]]);
    const bytes = encodeSafetensors(tensors);
    expect(decodeSafetensors(bytes).tensors.get("w")!.data.buffer).toBe(bytes.buffer);
    const odd = Buffer.alloc(bytes.length + 1).subarray(1);
    odd.set(bytes);
    expect(decodeSafetensors(odd).tensors).toEqual(tensors);
  });
});

test("a file written by hand", () => {
  const bytes = file(
    { __metadata__: { format: "pt" }, b: { dtype: "BF16", shape: [2], data_offsets: [4, 8] }, a: f32([], 0, 4) },
    8,
  );
  bytes.set([0, 0, 0x80, 0x3f, 0x80, 0x3f, 0x00, 0xc0], bytes.length - 8);
  expect(decodeSafetensors(bytes)).toEqual({
    tensors: new Map([
      ["a", { dtype: "float32", shape: [], data: Float32Array.of(1) }],
      ["b", { dtype: "float32", shape: [2], data: Float32Array.of(1, -2) }],
    ]),
    metadata: new Map([["format", "pt"]]),
  });
});

test("float16 stays a pattern, or is widened when asked", () => {
  const half: Tensor = { dtype: "float16", shape: [1], data: Uint16Array.of(0xc000) };
  const bytes = encodeSafetensors(new Map([["h", half]]));
  expect(decodeSafetensors(bytes).tensors.get("h")).toEqual(half);
  const widened = { dtype: "float32", shape: [1], data: Float32Array.of(-2) };
  expect(decodeSafetensors(bytes, { widenHalf: true }).tensors.get("h")).toEqual(widened);
});

describe("on disk", () => {
  const folder = mkdtempSync(join(tmpdir(), "lore-safetensors-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const tensors = new Map<string, Tensor>([
    ["odd", { dtype: "uint8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
    ["w", { dtype: "float32", shape: [2], data: Float32Array.of(1, -2) }],
    ["empty", { dtype: "float32", shape: [0], data: new Float32Array(0) }],
  ]);
  const metadata = new Map([["format", "pt"]]);

  test("written in pieces, a file has the bytes of the encoding in one; read in pieces, it has the tensors", () => {
    const path = join(folder, "small.safetensors");
    writeAtomically(path, safetensorsPieces(tensors, metadata));
    expect(readFileSync(path).equals(encodeSafetensors(tensors, metadata))).toBe(true);
    expect(readSafetensors(path)).toEqual({ tensors, metadata });
    expect(readTensorNames(path)).toEqual([...tensors.keys()]);
  });

  test("a file that is not there, and one cut short", () => {
    const path = join(folder, "short.safetensors");
    expect(() => readSafetensors(path)).toThrow(/Cannot read .*short\.safetensors/);
    writeAtomically(path, encodeSafetensors(tensors).subarray(0, -1));
    expect(() => readSafetensors(path)).toThrow(/cut short/);
  });
});

describe("files that cannot be used", () => {
  test("cut short anywhere, a file is refused", () => {
    const bytes = encodeSafetensors(new Map([["w", { dtype: "uint8", shape: [3], data: Uint8Array.of(1, 2, 3) }]]));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSafetensors(bytes.subarray(0, length)), `${length} bytes`).toThrow(UsageError);
    }
  });

  test.each([
    ["another format", new TextEncoder().encode("<!DOCTYPE html>"), /header should be \d+ bytes/],
    ["bad JSON", file('{"a":'), /not JSON/],
    ["no object", file("[]"), /not a JSON object/],
    ["a tensor that is no object", file({ w: 3 }), /"w"/],
    ["no dtype", file({ w: { shape: [], data_offsets: [0, 0] } }), /"w".*dtype/],
    ["an unknown dtype", file({ w: { dtype: "F8_E4M3", shape: [0], data_offsets: [0, 0] } }), /"w".*F8_E4M3/],
    ["a negative size", file({ w: f32([-1], 0, 4) }, 4), /"w".*\[-1\]/],
    [
      "three offsets",
      file({ w: { dtype: "F32", shape: [1], data_offsets: [0, 4, 8] } }, 8),
      /"w".*data_offsets \[0,4,8\]/,
    ],
    ["an end before its beginning", file({ w: f32([1], 4, 0) }, 4), /"w".*data_offsets/],
    ["data out of range", file({ w: f32([2], 0, 8) }, 4), /"w" ends at byte 8.*4 bytes long/],
    ["overlapping data", file({ v: f32([1], 0, 4), w: f32([1], 2, 6) }, 6), /"v" and "w" overlap at byte 2/],
    ["a hole", file({ v: f32([1], 0, 4), w: f32([1], 8, 12) }, 12), /bytes 4 to 8/],
    ["bytes at the end", file({ v: f32([1], 0, 4) }, 5), /bytes 4 to 5/],
    ["a shape of another size", file({ w: f32([3], 0, 8) }, 8), /"w".*\[3\].*12 bytes and has 8/],
    ["metadata that is no string", file({ __metadata__: { k: 1 } }), /metadata "k"/],
  ])("%s", (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(UsageError);
    expect(() => decodeSafetensors(bytes)).toThrow(message);
  });

  test("encoding refuses the format's own name, and data that does not fit its shape", () => {
    const scalar: Tensor = { dtype: "float32", shape: [], data: Float32Array.of(1) };
    expect(() => encodeSafetensors(new Map([["__metadata__", scalar]]))).toThrow(/__metadata__/);
    expect(() => encodeSafetensors(new Map([["w", { ...scalar, shape: [2] }]]))).toThrow(/"w" has shape \[2\] but 1/);
  });
});
