import { jsonFile, readBytes, readJson, type SavedFile } from "../files.ts";
import { bytesOf } from "../tensor/index.ts";
import { type EmbeddingTable, readIdentity, readNames } from "./table.ts";

/*
 * NumPy's format, version 1.0 (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): magic bytes, a
 * Python dictionary that gives type and shape, the numbers. It has no place for names: they lie beside it,
 * `photos.names.json` beside `photos.npy`.
 */

const magic = "\x93NUMPY";
/** Where the numbers begin is a multiple of this. */
const alignment = 64;

export function namesPathOf(path: string): string {
  return path.replace(/\.npy$/, ".names.json");
}

export function npyFiles(path: string, { names, size, values, encoder }: EmbeddingTable): readonly SavedFile[] {
  const shape = `(${names.length}, ${size})`;
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  const prefix = magic.length + 4;
  const length = Math.ceil((prefix + description.length + 1) / alignment) * alignment - prefix;
  const header = Buffer.alloc(prefix + length, " ");
  header.write(magic, "latin1");
  header.writeUInt8(1, magic.length);
  header.writeUInt8(0, magic.length + 1);
  header.writeUInt16LE(length, magic.length + 2);
  header.write(`${description.padEnd(length - 1)}\n`, prefix, "latin1");
  return [[path, [header, bytesOf(values)]], jsonFile(namesPathOf(path), { encoder, names })];
}

/** @throws Error when it is another format, of other numbers, or without names */
export function readNpy(path: string): EmbeddingTable {
  const bytes = Buffer.from(readBytes(path));
  if (bytes.toString("latin1", 0, magic.length) !== magic) throw new Error("it is no .npy file");
  const wide = bytes[magic.length] !== 1;
  const prefix = magic.length + (wide ? 6 : 4);
  const start = prefix + (wide ? bytes.readUInt32LE(magic.length + 2) : bytes.readUInt16LE(magic.length + 2));
  const description = bytes.toString("latin1", prefix, start);
  const [, count, size] = /'shape': \((\d+), (\d+)\)/.exec(description)?.map(Number) ?? [];
  const fits = description.includes("'descr': '<f4'") && description.includes("'fortran_order': False");
  if (!fits || count === undefined || size === undefined)
    throw new Error(`it must hold float32 numbers [images, size] in C order, not ${description.trim()}`);
  if (bytes.length - start !== 4 * count * size) throw new Error("it is cut short");
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
  const { encoder, names } = (readJson(namesPathOf(path)) ?? {}) as { encoder?: unknown; names?: unknown };
  const identity = readIdentity(encoder);
  return { names: readNames(names, count), size, values, ...(identity && { encoder: identity }) };
}
