import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { readSafetensors } from "../safetensors.ts";
import { readEmbeddings, writeEmbeddings } from "./files.ts";
import type { EmbeddingTable } from "./table.ts";

const folder = mkdtempSync(join(tmpdir(), "lore-embeddings-"));
const at = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

/** The smallest and largest float32 numbers, such as need all their digits, names of other alphabets. */
const table: EmbeddingTable = {
  names: ["a/cat.jpg", 'with "quotes", a comma\nand a line', "Übung 猫 🐈"],
  size: 4,
  values: Float32Array.of(0, -0, 0.1, 1 / 3, 2 ** -149, 3.4028234663852886e38, -1e-20, 16777217, 1, 2, 3, -7.25),
  encoder: { name: "openai/clip", sha256: "ab".repeat(32) },
};

describe.each([".npy", ".safetensors", ".jsonl", ".parquet"])("%s", (extension) => {
  test("what is written is read again, to the last bit", async () => {
    await writeEmbeddings(at(`table${extension}`), table);
    const { encoder, ...read } = await readEmbeddings(at(`table${extension}`));
    const { encoder: written, ...plain } = table;
    // Lines of JSON have no place for it.
    expect(encoder).toEqual(extension === ".jsonl" ? undefined : written);
    // JSON writes -0 as 0, which is equal to it.
    expect({ ...read, values: read.values.map((x) => x + 0) }).toEqual({
      ...plain,
      values: plain.values.map((x) => x + 0),
    });
  });

  test("another file under that name is refused by name", async () => {
    const path = at(`other${extension}`);
    writeFileSync(path, "no embeddings at all, whatever the name says");
    await expect(readEmbeddings(path)).rejects.toThrow(UsageError);
    await expect(readEmbeddings(path)).rejects.toThrow(path);
    await expect(readEmbeddings(at(`none${extension}`))).rejects.toThrow(/there is no such file/);
  });
});

test(".npy is NumPy's format: header, then the numbers in C order; the names lie beside it", async () => {
  const written = await writeEmbeddings(at("photos.npy"), table);
  expect(written).toEqual([at("photos.npy"), at("photos.names.json")]);
  const bytes = readFileSync(at("photos.npy"));
  expect([...bytes.subarray(0, 8)]).toEqual([0x93, ...Buffer.from("NUMPY"), 1, 0]);
  const start = 10 + bytes.readUInt16LE(8);
  expect(start % 64).toBe(0);
  expect(bytes.toString("latin1", 10, start)).toMatch(
    /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(3, 4\), \} *\n$/,
  );
  expect(Array.from({ length: 12 }, (_, i) => bytes.readFloatLE(start + 4 * i))).toEqual([...table.values]);
  expect(bytes.length).toBe(start + 4 * 12);
  expect(JSON.parse(readFileSync(at("photos.names.json"), "utf8"))).toEqual({
    encoder: table.encoder,
    names: table.names,
  });
});

test(".safetensors is one tensor with names in its metadata", async () => {
  await writeEmbeddings(at("photos.safetensors"), table);
  const { tensors, metadata } = readSafetensors(at("photos.safetensors"));
  expect([...tensors]).toEqual([["embeddings", { dtype: "float32", shape: [3, 4], data: table.values }]]);
  expect(JSON.parse(metadata.get("names")!)).toEqual(table.names);
});

test(".jsonl is a line per embedding, in no more digits than float32 has", async () => {
  await writeEmbeddings(at("photos.jsonl"), table);
  const lines = readFileSync(at("photos.jsonl"), "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[0]).toBe('{"name":"a/cat.jpg","embedding":[0,0,0.100000001,0.333333343]}');
});

test(".parquet is a column of names and one of lists of float32", async () => {
  await writeEmbeddings(at("photos.parquet"), table);
  const bytes = readFileSync(at("photos.parquet"));
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  expect(parquetMetadata(file).schema.map(({ name, type }) => [name, type])).toEqual([
    ["root", undefined],
    ["name", "BYTE_ARRAY"],
    ["embedding", undefined],
    ["list", undefined],
    ["element", "FLOAT"],
  ]);
  const rows = await parquetReadObjects({ file });
  expect(rows.map(({ name }) => name as unknown)).toEqual(table.names);
  expect(Array.from(rows[2]!.embedding as number[])).toEqual([1, 2, 3, -7.25]);
});

test("many embeddings span several groups of rows", async () => {
  const names = Array.from({ length: 2500 }, (_, i) => `${i}.jpg`);
  const many = { names, size: 3, values: Float32Array.from({ length: 7500 }, (_, i) => Math.sin(i)) };
  await writeEmbeddings(at("many.parquet"), many);
  expect(await readEmbeddings(at("many.parquet"))).toEqual(many);
});

test.each([
  ['{"name": "a", "embedding": [1, 2]}\n{"name": "b", "embedding": [1]}\n', /embedding 1 has 1 numbers/],
  ['{"name": "a", "embedding": [1, 2]}\n{"name": "b", "embedding": ["1", 2]}\n', /line 2 is not/],
  ['{"name": "a", "embedding": [1, 2]}\nnull\n', /line 2 is not/],
  ['{"id": "a", "embedding": [1, 2]}\n', /line 1 is not/],
])("lines that are no embeddings are named: %j", async (content, message) => {
  writeFileSync(at("bad.jsonl"), content);
  await expect(readEmbeddings(at("bad.jsonl"))).rejects.toThrow(message);
});

test("a .npy file without names, of other numbers or cut short is refused", async () => {
  await writeEmbeddings(at("short.npy"), table);
  const bytes = readFileSync(at("short.npy"));
  writeFileSync(at("short.npy"), bytes.subarray(0, bytes.length - 4));
  await expect(readEmbeddings(at("short.npy"))).rejects.toThrow(/cut short/);
  writeFileSync(at("short.npy"), Buffer.from(bytes.toString("latin1").replace("<f4", "<f8"), "latin1"));
  await expect(readEmbeddings(at("short.npy"))).rejects.toThrow(/float32.*<f8/s);
  writeFileSync(at("short.npy"), bytes);
  rmSync(at("short.names.json"));
  await expect(readEmbeddings(at("short.npy"))).rejects.toThrow(/short\.names\.json/);
});

test("a Parquet file of other columns says which it has", async () => {
  const buffer = parquetWriteBuffer({ columnData: [{ name: "vector", data: [1, 2], type: "FLOAT" }] });
  writeFileSync(at("other.parquet"), new Uint8Array(buffer));
  await expect(readEmbeddings(at("other.parquet"))).rejects.toThrow(/no columns "name" and "embedding", but vector/);
});

test("a name that says no format is refused before anything is computed", async () => {
  await expect(writeEmbeddings(at("photos.csv"), table)).rejects.toThrow(/\.npy, \.safetensors, \.jsonl, \.parquet/);
});
