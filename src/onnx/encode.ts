import { bytesOf, elementCount, elementTypeOf, packNibbles, type Tensor } from "../tensor/index.ts";
import { OnnxError } from "./errors.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, ValueInfo } from "./model.ts";
import {
  type AttributeProto,
  AttributeType,
  attributeProto,
  type GraphProto,
  ModelProto,
  type NodeProto,
  type TensorProto,
  tensorProto,
  type ValueInfoProto,
} from "./proto.ts";
import { writeMessage } from "./wire.ts";

/** Protobuf's own limit: a message is at most 2 GiB long. */
const LARGEST_FILE = 2 ** 31 - 1;

/** Where a tensor starts in an external data file, so that every element type can be viewed in place. */
const ALIGNMENT = 64;

/** Options of `encodeModel`. By default it writes one self-contained file. */
export interface EncodeOptions {
  /** Write initializers of at least `threshold` bytes (1024 unless told) to a second file, named `location` in the first. */
  readonly externalData?: { readonly location: string; readonly threshold?: number };
}

/** The bytes of an ONNX file, and of its external data file where one was asked for. */
export interface EncodedModel {
  readonly bytes: Uint8Array;
  readonly external?: Uint8Array;
}

/**
 * Writes an ONNX file. Tensor contents are copied once, straight into the result.
 *
 * @throws OnnxError when a tensor's data does not fit its shape, or when the file would pass protobuf's 2 GiB.
 */
export function encodeModel(model: OnnxModel, options: EncodeOptions = {}): EncodedModel {
  const external =
    options.externalData && new ExternalData(options.externalData.location, options.externalData.threshold);
  const file = writeMessage(ModelProto, {
    irVersion: BigInt(model.irVersion),
    producerName: model.producerName,
    producerVersion: model.producerVersion,
    docString: model.docString,
    graph: graphProto(model.graph, external),
    opsetImport: [...model.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    metadataProps: [...model.metadata].map(([key, value]) => ({ key, value })),
    functions: [],
  }).finish();
  if (file.length > LARGEST_FILE) {
    throw new OnnxError(
      `the model takes ${file.length} bytes and an ONNX file holds at most ${LARGEST_FILE}: pass the externalData option`,
    );
  }
  return external ? { bytes: file.join(), external: external.join() } : { bytes: file.join() };
}

class ExternalData {
  readonly #location: string;
  readonly #threshold: number;
  readonly #pieces: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  #length = 0;

  constructor(location: string, threshold = 1024) {
    this.#location = location;
    this.#threshold = threshold;
  }

  wants(bytes: Uint8Array): boolean {
    return bytes.length > 0 && bytes.length >= this.#threshold;
  }

  add(bytes: Uint8Array): Partial<TensorProto> {
    const offset = Math.ceil(this.#length / ALIGNMENT) * ALIGNMENT;
    this.#pieces.push({ offset, bytes });
    this.#length = offset + bytes.length;
    return {
      dataLocation: 1,
      externalData: [
        { key: "location", value: this.#location },
        { key: "offset", value: `${offset}` },
        { key: "length", value: `${bytes.length}` },
      ],
    };
  }

  join(): Uint8Array {
    const joined = new Uint8Array(this.#length);
    for (const { offset, bytes } of this.#pieces) joined.set(bytes, offset);
    return joined;
  }
}

function graphProto(graph: OnnxGraph, external: ExternalData | undefined): GraphProto {
  return {
    name: graph.name,
    node: graph.nodes.map(nodeProto),
    initializer: [...graph.initializers].map(([name, tensor]) => encodeTensor(name, tensor, external)),
    input: graph.inputs.map(valueInfoProto),
    output: graph.outputs.map(valueInfoProto),
    valueInfo: (graph.valueInfo ?? []).map(valueInfoProto),
    sparseInitializer: [],
  };
}

function nodeProto(node: OnnxNode): NodeProto {
  return {
    input: node.inputs,
    output: node.outputs,
    name: node.name,
    opType: node.op,
    attribute: Object.entries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
    domain: node.domain,
    overload: undefined,
  };
}

function encodeAttribute(name: string, attribute: OnnxAttribute): AttributeProto {
  const type = AttributeType[attribute.kind];
  switch (attribute.kind) {
    case "int":
      return attributeProto({ name, type, i: integer(name, attribute.value) });
    case "float":
      return attributeProto({ name, type, f: attribute.value });
    case "string":
      return attributeProto({ name, type, s: new TextEncoder().encode(attribute.value) });
    case "ints":
      return attributeProto({ name, type, ints: attribute.value.map((value) => integer(name, value)) });
    case "floats":
      return attributeProto({ name, type, floats: attribute.value });
    case "strings":
      return attributeProto({ name, type, strings: attribute.value.map((value) => new TextEncoder().encode(value)) });
    case "tensor":
      return attributeProto({ name, type, t: encodeTensor("", attribute.value, undefined) });
    case "graph":
      return attributeProto({ name, type, g: graphProto(attribute.value, undefined) });
  }
}

function integer(name: string, value: number): bigint {
  if (!Number.isInteger(value)) throw new OnnxError(`attribute ${name} must hold integers, and one is ${value}`);
  return BigInt(value);
}

function encodeTensor(name: string, tensor: Tensor, external: ExternalData | undefined): TensorProto {
  const { dtype, shape, data } = tensor;
  if (data.length !== elementCount(shape)) {
    throw new OnnxError(`tensor ${name} has shape [${shape.join(", ")}] but ${data.length} elements`);
  }
  const bytes = dtype === "int4" || dtype === "uint4" ? packNibbles(data as Int8Array | Uint8Array) : bytesOf(data);
  return tensorProto({
    name,
    dims: shape.map(BigInt),
    dataType: elementTypeOf(dtype),
    ...(external?.wants(bytes) ? external.add(bytes) : { rawData: bytes }),
  });
}

function valueInfoProto({ name, dtype, shape, unranked, untyped }: ValueInfo): ValueInfoProto {
  if (untyped) return { name, type: undefined };
  const dim = shape.map((size) =>
    typeof size === "number"
      ? { dimValue: BigInt(size), dimParam: undefined }
      : { dimValue: undefined, dimParam: size === "" ? undefined : size },
  );
  return { name, type: { tensorType: { elemType: elementTypeOf(dtype), shape: unranked ? undefined : { dim } } } };
}
