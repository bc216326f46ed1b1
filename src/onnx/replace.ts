import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { BFLOAT16, bytesOf, elementTypeOf, toBfloat16, toHalf } from "../tensor/index.ts";
import { OnnxError } from "./errors.ts";

/** The pieces of a file after a replacement: spans of the original and new bytes, in order. */
export type Pieces = readonly Uint8Array[];

/** New bytes for the replaced tensors in external files, and where they go. */
export interface ExternalPatch {
  readonly location: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface Replaced {
  readonly model: Pieces;
  readonly external: readonly ExternalPatch[];
}

/**
 * An ONNX file with other elements in some of its tensors, initializers or `Constant` nodes; every other byte's meaning
 * stays what it was, down to fields that this project does not know. Values are narrowed to the tensor's own element type.
 *
 * @param values by the tensor's name (for a `Constant`, its output's), as many as the tensor has
 * @throws OnnxError when a tensor is not there, is not of a floating-point type, or has another number of elements
 */
export function replaceTensors(bytes: Uint8Array, values: ReadonlyMap<string, Float32Array>): Replaced {
  const external: ExternalPatch[] = [];
  const found = new Set<string>();
  const tensor = (name: string, content: Uint8Array): Pieces | undefined => {
    const data = values.get(name);
    if (!data) return undefined;
    found.add(name);
    const header = tensorHeader(content);
    const narrowed = narrow(name, data, header);
    if (!header.external) return withRawData(content, narrowed);
    external.push({ ...header.external, bytes: narrowed });
    return undefined;
  };
  const constant = (content: Uint8Array): Pieces | undefined => {
    const { output, op } = nodeHeader(content);
    if (op !== "Constant" || !values.has(output)) return undefined;
    return mapFields(content, (field, attribute) =>
      field === fields.node.attribute
        ? mapFields(attribute, (inner, held) => (inner === fields.attribute.tensor ? tensor(output, held) : undefined))
        : undefined,
    );
  };
  const model = mapFields(bytes, (field, graph) =>
    field !== fields.model.graph
      ? undefined
      : mapFields(graph, (inner, content) => {
          if (inner === fields.graph.initializer) return tensor(tensorHeader(content).name, content);
          return inner === fields.graph.node ? constant(content) : undefined;
        }),
  );
  const missing = [...values.keys()].find((name) => !found.has(name));
  if (missing !== undefined) throw new OnnxError(`the model holds no tensor "${missing}"`);
  return { model, external };
}

/** Field numbers of onnx.proto. */
const fields = {
  model: { graph: 7 },
  graph: { node: 1, initializer: 5 },
  node: { output: 2, op: 4, attribute: 5 },
  attribute: { tensor: 5 },
  tensor: { dims: 1, type: 2, name: 8, raw: 9, external: 13, location: 14 },
  entry: { key: 1, value: 2 },
} as const;

/** The fields of a tensor that hold elements. */
const dataFields: ReadonlySet<number> = new Set([4, 5, 6, 7, fields.tensor.raw, 10, 11]);

interface TensorHeader {
  readonly name: string;
  readonly type: number;
  readonly count: number;
  readonly external?: { readonly location: string; readonly offset: number };
}

function tensorHeader(content: Uint8Array): TensorHeader {
  let [name, type, count, isExternal] = ["", 0, 1, false];
  const entries = new Map<string, string>();
  eachField(content, (field, wire, reader) => {
    if (field === fields.tensor.name) name = reader.string();
    else if (field === fields.tensor.type) type = reader.int32();
    else if (field === fields.tensor.location) isExternal = reader.int32() === 1;
    else if (field === fields.tensor.external) entries.set(...entry(reader.bytes()));
    else if (field !== fields.tensor.dims) reader.skip(wire, field);
    else if (wire === WireType.Varint) count *= Number(reader.int64());
    else for (const dims = new BinaryReader(reader.bytes()); dims.pos < dims.len; ) count *= Number(dims.int64());
  });
  const offset = Number(entries.get("offset") ?? 0);
  return { name, type, count, ...(isExternal && { external: { location: entries.get("location") ?? "", offset } }) };
}

function entry(content: Uint8Array): [key: string, value: string] {
  const found: [string, string] = ["", ""];
  eachField(content, (field, wire, reader) => {
    if (field === fields.entry.key || field === fields.entry.value) found[field - 1] = reader.string();
    else reader.skip(wire, field);
  });
  return found;
}

function nodeHeader(content: Uint8Array): { readonly output: string; readonly op: string } {
  const outputs: string[] = [];
  let op = "";
  eachField(content, (field, wire, reader) => {
    if (field === fields.node.output) outputs.push(reader.string());
    else if (field === fields.node.op) op = reader.string();
    else reader.skip(wire, field);
  });
  return { output: outputs[0] ?? "", op };
}

function narrow(name: string, data: Float32Array, { type, count }: TensorHeader): Uint8Array {
  if (data.length !== count)
    throw new OnnxError(`tensor "${name}" has ${count} elements, and ${data.length} were given for it`);
  switch (type) {
    case elementTypeOf("float32"):
      return bytesOf(data);
    case elementTypeOf("float64"):
      return bytesOf(Float64Array.from(data));
    case elementTypeOf("float16"):
      return bytesOf(Uint16Array.from(data, toHalf));
    case BFLOAT16:
      return bytesOf(Uint16Array.from(data, toBfloat16));
    default:
      throw new OnnxError(`tensor "${name}" has ONNX element type ${type}, which is not of floating point`);
  }
}

function withRawData(content: Uint8Array, data: Uint8Array): Pieces {
  const kept = mapFields(content, () => undefined, dataFields);
  return [...kept, lengthPrefix(fields.tensor.raw, data.length), data];
}

function eachField(content: Uint8Array, read: (field: number, wire: WireType, reader: BinaryReader) => void): void {
  const reader = new BinaryReader(content);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    read(field, wire, reader);
  }
}

/**
 * A message with some of its length-delimited fields replaced, and some fields left out.
 *
 * @param replace the new content of a field; undefined keeps it
 */
function mapFields(
  content: Uint8Array,
  replace: (field: number, content: Uint8Array) => Pieces | undefined,
  leftOut: ReadonlySet<number> = new Set(),
): Pieces {
  const pieces: Uint8Array[] = [];
  const reader = new BinaryReader(content);
  let [kept, start] = [0, 0];
  const flush = (next: number): void => {
    if (start > kept) pieces.push(content.subarray(kept, start));
    kept = next;
  };
  while (reader.pos < reader.len) {
    start = reader.pos;
    const [field, wire] = reader.tag();
    const inner = wire === WireType.LengthDelimited ? reader.bytes() : undefined;
    if (!inner) reader.skip(wire, field);
    const replaced = inner && replace(field, inner);
    if (leftOut.has(field)) flush(reader.pos);
    else if (replaced) {
      flush(reader.pos);
      pieces.push(
        lengthPrefix(
          field,
          replaced.reduce((sum, { length }) => sum + length, 0),
        ),
        ...replaced,
      );
    }
  }
  start = reader.len;
  flush(reader.len);
  return pieces;
}

function lengthPrefix(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish();
}
