import {
  BFLOAT16,
  type DType,
  dtypeOfElementType,
  elementCount,
  type Storage,
  storageClass,
  type Tensor,
  unpackNibbles,
  viewAs,
  widenBfloat16,
} from "../tensor/index.ts";
import { OnnxError } from "./errors.ts";
import type { TensorProto } from "./proto.ts";

/**
 * Gives bytes of an external data file by the location that a model names it by.
 *
 * @param length undefined for all that follow `offset`
 */
export type ExternalFiles = (location: string, offset: number, length: number | undefined) => Uint8Array;

/** Reads a tensor; `where` names it in errors. A view of the message's bytes when their alignment allows it. */
export function decodeTensor(proto: TensorProto, where: string, external: ExternalFiles | undefined): Tensor {
  const shape = proto.dims.map(Number);
  const negative = shape.find((size) => size < 0);
  if (negative !== undefined) throw new OnnxError(`${where} has a negative size: [${shape.join(", ")}]`);
  const type = proto.dataType ?? 0;
  const dtype = type === BFLOAT16 ? "float16" : dtypeOfElementType(type);
  if (dtype === undefined) {
    throw new OnnxError(`${where} has ONNX element type ${type}, which is not supported: cast it in the model`);
  }
  const raw = proto.dataLocation === 1 ? externalBytes(proto, where, external) : proto.rawData;
  if (dtype === "int4" || dtype === "uint4")
    return nibbles(dtype, shape, raw ?? Uint8Array.from(proto.int32Data), where);
  const size = storageClass(dtype).BYTES_PER_ELEMENT;
  if (raw !== undefined && raw.length % size !== 0) {
    throw new OnnxError(`${where} holds ${raw.length} bytes, which is not a multiple of the ${size} of a ${dtype}`);
  }
  const data = raw === undefined ? typedData(proto, dtype) : viewAs(dtype, raw);
  const count = elementCount(shape);
  if (data.length !== count) {
    throw new OnnxError(
      `${where} has shape [${shape.join(", ")}] (${count} elements) but holds ${data.length} elements`,
    );
  }
  if (type === BFLOAT16) return { dtype: "float32", shape, data: widenBfloat16(data as Uint16Array) };
  return { dtype, shape, data };
}

function nibbles(dtype: "int4" | "uint4", shape: readonly number[], bytes: Uint8Array, where: string): Tensor {
  const count = elementCount(shape);
  if (bytes.length !== Math.ceil(count / 2)) {
    throw new OnnxError(
      `${where} has shape [${shape.join(", ")}] (${count} elements, two a byte) but holds ${bytes.length} bytes`,
    );
  }
  return { dtype, shape, data: unpackNibbles(dtype, bytes, count) } as Tensor;
}

/** The elements from the field that ONNX gives this element type; float16 and bfloat16 are patterns in `int32_data`. */
function typedData(proto: TensorProto, dtype: DType): Storage[DType] {
  switch (dtype) {
    case "float32":
      return Float32Array.from(proto.floatData);
    case "float64":
      return Float64Array.from(proto.doubleData);
    case "int64":
      return BigInt64Array.from(proto.int64Data);
    case "uint64":
      return BigUint64Array.from(proto.uint64Data);
    case "uint32":
      return Uint32Array.from(proto.uint64Data, Number);
    default:
      return storageClass(dtype).from(proto.int32Data);
  }
}

function externalBytes(proto: TensorProto, where: string, external: ExternalFiles | undefined): Uint8Array {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location");
  if (location === undefined) throw new OnnxError(`${where} lies in an external file that the model does not name`);
  if (external === undefined) {
    throw new OnnxError(`${where} lies in the external file "${location}": pass a function that gives its bytes`);
  }
  const offset = Number(entries.get("offset") ?? 0);
  const length = entries.has("length") ? Number(entries.get("length")) : undefined;
  try {
    return external(location, offset, length);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OnnxError(`${where} lies in the external file "${location}", which cannot be read: ${reason}`, { cause });
  }
}
