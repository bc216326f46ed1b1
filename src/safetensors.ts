import { UsageError } from "./errors.ts";
import { type RandomAccessFile, withFile } from "./files.ts";
import {
  bytesOf,
  type DType,
  elementCount,
  storageClass,
  type Tensor,
  viewAs,
  widenBfloat16,
  widenHalf,
} from "./tensor/index.ts";

/*
 * The safetensors format (https://github.com/huggingface/safetensors#format): the header's length as a little-endian
 * 64-bit integer, a JSON header that gives each tensor's type, shape and byte range, and the tensors back to back.
 */

/** Tensors and free-form strings of a safetensors file. */
export interface Safetensors {
  /** By name, in the order of the file's data. */
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Map<string, string>;
}

/** Conversions on reading. */
export interface SafetensorsOptions {
  /** Widen float16 tensors to float32. */
  readonly widenHalf?: boolean;
}

const METADATA = "__metadata__";

/** The format's reference implementation refuses longer ones, too. */
const LONGEST_HEADER = 100_000_000;

/** The format has no 4-bit integers. */
const names: Readonly<Record<Exclude<DType, "int4" | "uint4">, string>> = {
  float32: "F32",
  float64: "F64",
  float16: "F16",
  uint8: "U8",
  int8: "I8",
  uint16: "U16",
  int16: "I16",
  uint32: "U32",
  int32: "I32",
  uint64: "U64",
  int64: "I64",
  bool: "BOOL",
};
const dtypes = new Map(Object.entries(names).map(([dtype, name]) => [name, dtype as DType]));

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a safetensors file out of memory. Tensors are views of `bytes` where their alignment allows it, so `bytes` must
 * not change afterwards. BF16 tensors are widened to float32.
 *
 * @throws UsageError when the file is cut short or its header is not what the format asks for.
 */
export function decodeSafetensors(bytes: Uint8Array, options: SafetensorsOptions = {}): Safetensors {
  const read = (begin: number, end: number): Uint8Array =>
    new Uint8Array(bytes.buffer, bytes.byteOffset + begin, end - begin);
  return decode({ size: bytes.length, read }, options);
}

/**
 * Reads a safetensors file of any length, tensor by tensor. BF16 tensors are widened to float32.
 *
 * @throws UsageError as `decodeSafetensors`, and when the file cannot be read.
 */
export function readSafetensors(path: string, options: SafetensorsOptions = {}): Safetensors {
  return withFile(path, (file) => decode(file, options));
}

/**
 * The names of a file's tensors, of which only the header is read.
 *
 * @throws UsageError as `readSafetensors`
 */
export function readTensorNames(path: string): readonly string[] {
  return withFile(path, (file) => readHeader(file).entries.map(({ name }) => name));
}

function decode(file: RandomAccessFile, options: SafetensorsOptions): Safetensors {
  const { start, entries, metadata } = readHeader(file);
  const data = (begin: number, end: number): Uint8Array => file.read(start + begin, start + end);
  return {
    tensors: new Map(entries.map((entry) => [entry.name, readTensor(entry, data, options)])),
    metadata,
  };
}

interface Header {
  /** Where the tensors' bytes begin. */
  readonly start: number;
  /** In the order of the file's data. */
  readonly entries: readonly Entry[];
  readonly metadata: Map<string, string>;
}

function readHeader({ size, read }: RandomAccessFile): Header {
  if (size < 8) throw invalid(`it is ${size} bytes long, too short for a header length`);
  const prefix = read(0, 8);
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true));
  if (length > Math.min(size - 8, LONGEST_HEADER)) {
    throw invalid(
      `its header should be ${length} bytes long and ${size - 8} follow: it is cut short or another format`,
    );
  }
  const start = 8 + length;
  const header = parseHeader(read(8, start));
  const entries = Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, value]) => readEntry(name, value))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkRanges(entries, size - start);
  return { start, entries, metadata: readMetadata(header[METADATA]) };
}

/**
 * Writes a safetensors file, tensors in the order of the map.
 *
 * @throws UsageError when a tensor's data does not fit its shape or its name is the format's own `__metadata__`.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  const pieces = safetensorsPieces(tensors, metadata);
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

/** The same file in pieces, the tensors' own bytes among them: for files too large for one buffer. */
export function safetensorsPieces(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): readonly Uint8Array[] {
  let end = 0;
  const items = metadata.size > 0 ? [`"${METADATA}":${JSON.stringify(Object.fromEntries(metadata))}`] : [];
  for (const [name, tensor] of tensors) {
    if (name === METADATA)
      throw new UsageError(`a tensor cannot be named ${METADATA}: safetensors keeps its metadata there`);
    if (tensor.data.length !== elementCount(tensor.shape)) {
      throw new UsageError(
        `tensor "${name}" has shape [${tensor.shape.join(", ")}] but ${tensor.data.length} elements`,
      );
    }
    if (tensor.dtype === "int4" || tensor.dtype === "uint4")
      throw new UsageError(`tensor "${name}" is of ${tensor.dtype}, which safetensors files do not hold`);
    const begin = end;
    end += tensor.data.byteLength;
    const entry = { dtype: names[tensor.dtype], shape: tensor.shape, data_offsets: [begin, end] };
    // Joined by hand: an object would bring names such as "10" to the front.
    items.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  }
  const json = new TextEncoder().encode(`{${items.join(",")}}`);
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(json, 8);
  return [header, ...[...tensors.values()].map(({ data }) => bytesOf(data))];
}

const invalid = (what: string, cause?: unknown) => new UsageError(`not a usable safetensors file: ${what}`, { cause });

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

function parseHeader(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid("its header is not JSON", cause);
  }
  if (!isRecord(header)) throw invalid("its header is not a JSON object");
  return header;
}

function readEntry(name: string, value: unknown): Entry {
  if (!isRecord(value)) throw invalid(`tensor "${name}" has no description`);
  const { dtype: type, shape, data_offsets: offsets } = value;
  if (typeof type !== "string") throw invalid(`tensor "${name}" has no dtype`);
  if (!isSizes(shape)) throw invalid(`tensor "${name}" has the shape ${JSON.stringify(shape)}`);
  const [begin, end] = isSizes(offsets) && offsets.length === 2 ? offsets : [];
  if (begin === undefined || end === undefined || begin > end) {
    throw invalid(`tensor "${name}" has the data_offsets ${JSON.stringify(offsets)}`);
  }
  return { name, type, shape, begin, end };
}

/** The format wants every byte to belong to exactly one tensor. */
function checkRanges(entries: readonly Entry[], length: number): void {
  let previous = { name: "", end: 0 };
  for (const { name, begin, end } of entries) {
    if (end > length) {
      throw invalid(
        `tensor "${name}" ends at byte ${end} of the data, which is ${length} bytes long: the file is cut short`,
      );
    }
    if (begin < previous.end)
      throw invalid(`tensors "${previous.name}" and "${name}" overlap at byte ${begin} of the data`);
    if (begin > previous.end) throw invalid(`bytes ${previous.end} to ${begin} of the data belong to no tensor`);
    previous = { name, end };
  }
  if (previous.end < length) throw invalid(`bytes ${previous.end} to ${length} of the data belong to no tensor`);
}

function readTensor(
  { name, type, shape, begin, end }: Entry,
  data: RandomAccessFile["read"],
  options: SafetensorsOptions,
): Tensor {
  const dtype = type === "BF16" ? "float16" : dtypes.get(type);
  if (dtype === undefined) throw invalid(`tensor "${name}" has the dtype ${type}, which is not supported`);
  const expected = elementCount(shape) * storageClass(dtype).BYTES_PER_ELEMENT;
  if (expected !== end - begin) {
    throw invalid(
      `tensor "${name}", ${type} of shape [${shape.join(", ")}], takes ${expected} bytes and has ${end - begin}`,
    );
  }
  const elements = viewAs(dtype, data(begin, end));
  if (type === "BF16") return { dtype: "float32", shape, data: widenBfloat16(elements as Uint16Array) };
  if (type === "F16" && options.widenHalf) {
    return { dtype: "float32", shape, data: widenHalf(elements as Uint16Array) };
  }
  return { dtype, shape, data: elements };
}

function readMetadata(value: unknown): Map<string, string> {
  if (value === undefined) return new Map();
  if (!isRecord(value)) throw invalid("its metadata is not a JSON object");
  return new Map(
    Object.entries(value).map(([key, entry]) => {
      if (typeof entry !== "string") throw invalid(`its metadata "${key}" is not a string`);
      return [key, entry];
    }),
  );
}
