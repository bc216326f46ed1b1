import type { DType } from "../tensor/index.ts";
import { BFLOAT16, dtypeOfElementType, elementTypeAttributes, elementTypeOf } from "../tensor/index.ts";
import { safeInteger } from "./constants.ts";
import { OnnxError } from "./errors.ts";
import { inlined } from "./functions.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, ValueInfo } from "./model.ts";
import {
  type AttributeProto,
  AttributeType,
  type GraphProto,
  ModelProto,
  type NodeProto,
  type ValueInfoProto,
} from "./proto.ts";
import { decodeTensor, type ExternalFiles } from "./tensor-proto.ts";
import { readMessage } from "./wire.ts";

/**
 * Reads an ONNX file.
 *
 * Tensors are views of `bytes` (or of the external file) where their alignment allows it, so `bytes` must not change
 * afterwards. bfloat16 is read as float32, in tensors and in the stated types of values. Functions that the model
 * defines are written out where they are called.
 *
 * @param external the content of an external data file that the model names, by the name it gives.
 * @throws OnnxError when the bytes are not a whole ONNX model, or hold something this project does not carry.
 */
export function decodeModel(bytes: Uint8Array, external?: ExternalFiles): OnnxModel {
  const proto = parse(bytes);
  return {
    irVersion: safeInteger(proto.irVersion ?? 0n),
    opsets: opsetsOf(proto),
    producerName: proto.producerName ?? "",
    producerVersion: proto.producerVersion ?? "",
    ...(proto.docString === undefined ? {} : { docString: proto.docString }),
    metadata: new Map(proto.metadataProps.map(({ key, value }) => [key ?? "", value ?? ""])),
    graph: decodeGraph(inlined(proto.graph, proto.functions), external),
    ...(proto.functions.length > 0 && { inlined: true as const }),
  };
}

/** Those of the model, and of functions what the model does not say: as ONNX Runtime, which reads functions in the model's own opset. */
function opsetsOf({ opsetImport, functions }: ModelProto): ReadonlyMap<string, number> {
  const imports = [...functions.flatMap((one) => one.opsetImport), ...opsetImport];
  return new Map(
    imports.map(({ domain, version }) => [
      domain === undefined || domain === "ai.onnx" ? "" : domain,
      safeInteger(version ?? 0n),
    ]),
  );
}

function parse(bytes: Uint8Array): ModelProto & { readonly graph: GraphProto } {
  let proto: ModelProto;
  try {
    // A plain view: Node's Buffer would pass its class on to every tensor.
    proto = readMessage(ModelProto, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    throw new OnnxError(
      `${describeFile(bytes)} is not a whole ONNX model: it is cut short, damaged or another format`,
      {
        cause,
      },
    );
  }
  const { graph } = proto;
  if (graph === undefined || proto.opsetImport.length === 0) {
    throw new OnnxError(`${describeFile(bytes)} is not an ONNX model: it holds no graph, or names no opset`);
  }
  return { ...proto, graph };
}

function describeFile(bytes: Uint8Array): string {
  const start = String.fromCharCode(...bytes.subarray(0, 24));
  if (start.startsWith("version https://git-lfs")) return "a Git LFS pointer (run `git lfs pull`)";
  return `a file of ${bytes.length} bytes starting ${JSON.stringify(start)}`;
}

function decodeGraph(proto: GraphProto, external: ExternalFiles | undefined): OnnxGraph {
  if (proto.sparseInitializer.length > 0) {
    throw new OnnxError(
      `graph "${proto.name ?? ""}" has sparse initializers, which are not supported: make them dense`,
    );
  }
  return {
    name: proto.name ?? "",
    nodes: proto.node.map((node) => decodeNode(node, external)),
    inputs: proto.input.map(valueInfo),
    outputs: proto.output.map(valueInfo),
    initializers: new Map(
      proto.initializer.map((tensor) => [
        tensor.name ?? "",
        decodeTensor(tensor, `initializer "${tensor.name ?? ""}"`, external),
      ]),
    ),
    // A value between nodes may be a sequence or have a type we lack. That matters only for inputs and outputs.
    valueInfo: proto.valueInfo.filter((info) => dtypeOf(info) !== undefined).map(valueInfo),
  };
}

function decodeNode(proto: NodeProto, external: ExternalFiles | undefined): OnnxNode {
  const op = proto.opType ?? "";
  const name = proto.name ?? "";
  const where = `${op} node "${name || proto.output[0] || ""}"`;
  return {
    op,
    domain: proto.domain === undefined || proto.domain === "ai.onnx" ? "" : proto.domain,
    name,
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(
      proto.attribute.map((attribute) => [
        attribute.name ?? "",
        decodeAttribute(attribute, `attribute ${attribute.name} of ${where}`, external),
      ]),
    ),
  };
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function decodeAttribute(proto: AttributeProto, where: string, external: ExternalFiles | undefined): OnnxAttribute {
  switch (proto.type ?? guessType(proto)) {
    case AttributeType.float:
      return { kind: "float", value: proto.f ?? 0 };
    case AttributeType.int:
      return { kind: "int", value: withoutBfloat16(proto.name ?? "", safeInteger(proto.i ?? 0n)) };
    case AttributeType.string:
      return { kind: "string", value: text(proto.s) };
    case AttributeType.floats:
      return { kind: "floats", value: proto.floats };
    case AttributeType.ints:
      return { kind: "ints", value: proto.ints.map(safeInteger) };
    case AttributeType.strings:
      return { kind: "strings", value: proto.strings.map(text) };
    case AttributeType.tensor:
      if (proto.t !== undefined) return { kind: "tensor", value: decodeTensor(proto.t, where, external) };
      break;
    case AttributeType.graph:
      if (proto.g !== undefined) return { kind: "graph", value: decodeGraph(proto.g, external) };
      break;
  }
  throw new OnnxError(`${where} has type ${proto.type}, which is not supported`);
}

/** Replaces bfloat16 by float32 in attributes that name an element type. */
function withoutBfloat16(name: string, value: number): number {
  return elementTypeAttributes.has(name) && value === BFLOAT16 ? elementTypeOf("float32") : value;
}

/** Files of the first format versions do not state an attribute's type. */
function guessType(proto: AttributeProto): number | undefined {
  if (proto.f !== undefined) return AttributeType.float;
  if (proto.i !== undefined) return AttributeType.int;
  if (proto.s !== undefined) return AttributeType.string;
  if (proto.t !== undefined) return AttributeType.tensor;
  if (proto.g !== undefined) return AttributeType.graph;
  if (proto.floats.length > 0) return AttributeType.floats;
  if (proto.ints.length > 0) return AttributeType.ints;
  return proto.strings.length > 0 ? AttributeType.strings : undefined;
}

function dtypeOf({ type }: ValueInfoProto): DType | undefined {
  const number = type?.tensorType?.elemType ?? 0;
  return number === BFLOAT16 ? "float32" : dtypeOfElementType(number);
}

function valueInfo(proto: ValueInfoProto): ValueInfo {
  const name = proto.name ?? "";
  const type = proto.type?.tensorType;
  if (!type?.elemType) return { name, dtype: "float32", shape: [], unranked: true, untyped: true };
  const dtype = dtypeOf(proto);
  if (dtype === undefined)
    throw new OnnxError(`"${name}" is a tensor of element type ${type.elemType}, which is not supported`);
  const { shape } = type;
  if (shape === undefined) return { name, dtype, shape: [], unranked: true };
  return {
    name,
    dtype,
    shape: shape.dim.map(({ dimValue, dimParam }) =>
      dimValue === undefined ? (dimParam ?? "") : safeInteger(dimValue),
    ),
  };
}
