import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { OnnxError } from "./errors.ts";

type Message = keyof typeof messages;

/** Where tensors can be, by the field numbers of onnx.proto: in subgraphs, functions and sparse tensors too. */
const messages = {
  model: { 7: "graph", 20: "training", 25: "function" },
  training: { 1: "graph", 2: "graph" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  function: { 7: "node", 11: "attribute" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: {},
} as const;

const tensorFields = { external: 13, location: 14 } as const;
const entryFields = { key: 1, value: 2 } as const;

/**
 * The files beside an ONNX file that hold its tensors, as it names them, each once. Nothing else is read, so operators and
 * element types may be unknown.
 *
 * @throws OnnxError when the bytes are no protobuf message
 */
export function externalLocations(bytes: Uint8Array): readonly string[] {
  const found = new Set<string>();
  try {
    collect("model", new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), found);
  } catch (cause) {
    throw new OnnxError("it is not a whole ONNX model: it is cut short, damaged or another format", { cause });
  }
  return [...found];
}

function collect(message: Message, content: Uint8Array, found: Set<string>): void {
  if (message === "tensor") {
    const location = locationOf(content);
    if (location !== undefined) found.add(location);
    return;
  }
  const inner: Readonly<Record<number, Message>> = messages[message];
  for (const { field, wire, reader } of fieldsOf(content)) {
    const next = inner[field];
    if (next !== undefined && wire === WireType.LengthDelimited) collect(next, reader.bytes(), found);
    else reader.skip(wire, field);
  }
}

function locationOf(tensor: Uint8Array): string | undefined {
  let [isExternal, location] = [false, ""];
  for (const { field, wire, reader } of fieldsOf(tensor)) {
    if (field === tensorFields.location) isExternal = reader.int32() === 1;
    else if (field === tensorFields.external) location = locationEntry(reader.bytes()) ?? location;
    else reader.skip(wire, field);
  }
  return isExternal ? location : undefined;
}

function locationEntry(entry: Uint8Array): string | undefined {
  let [key, value] = ["", ""];
  for (const { field, wire, reader } of fieldsOf(entry)) {
    if (field === entryFields.key) key = reader.string();
    else if (field === entryFields.value) value = reader.string();
    else reader.skip(wire, field);
  }
  return key === "location" ? value : undefined;
}

/** The fields of a message, whose contents the caller reads or skips. */
function* fieldsOf(
  content: Uint8Array,
): Generator<{ readonly field: number; readonly wire: WireType; readonly reader: BinaryReader }, void, undefined> {
  const reader = new BinaryReader(content);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    yield { field, wire, reader };
  }
}
