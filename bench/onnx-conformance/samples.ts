import { readFileSync } from "node:fs";
import { Tensor as OrtTensor } from "onnxruntime-node";
import { LoreError } from "../../src/errors.ts";
import { TensorProto } from "../../src/onnx/proto.ts";
import { readMessage } from "../../src/onnx/wire.ts";
import { BFLOAT16 } from "../../src/tensor/dtype.ts";
import { fromHalf, widenBfloat16 } from "../../src/tensor/half.ts";

/** A test's value that is no tensor, or has elements that JavaScript has no arrays for. */
export class SampleError extends LoreError {
  override readonly name = "SampleError";
}

/** A tensor of a test, of any type that ONNX Runtime takes from JavaScript. */
export interface Sample {
  readonly type: OrtTensor.Type;
  readonly shape: readonly number[];
  readonly data: OrtTensor.DataType;
  /** The model rounds it to bfloat16, which is float32 here. */
  readonly isBfloat16?: boolean;
}

/** ONNX's element types: the name in JavaScript, and the bytes as an array. */
const types: Readonly<
  Record<number, readonly [type: OrtTensor.Type, view: (bytes: ArrayBuffer) => OrtTensor.DataType]>
> = {
  1: ["float32", (bytes) => new Float32Array(bytes)],
  2: ["uint8", (bytes) => new Uint8Array(bytes)],
  3: ["int8", (bytes) => new Int8Array(bytes)],
  4: ["uint16", (bytes) => new Uint16Array(bytes)],
  5: ["int16", (bytes) => new Int16Array(bytes)],
  6: ["int32", (bytes) => new Int32Array(bytes)],
  7: ["int64", (bytes) => new BigInt64Array(bytes)],
  9: ["bool", (bytes) => new Uint8Array(bytes)],
  10: ["float16", (bytes) => new Uint16Array(bytes)],
  11: ["float64", (bytes) => new Float64Array(bytes)],
  12: ["uint32", (bytes) => new Uint32Array(bytes)],
  13: ["uint64", (bytes) => new BigUint64Array(bytes)],
  // ONNX Runtime takes no bfloat16 from JavaScript.
  16: ["float32", (bytes) => widenBfloat16(new Uint16Array(bytes))],
};

/**
 * A tensor of a test.
 *
 * @param declared the element type that the model has for it
 * @throws SampleError for element types without an array in JavaScript
 */
export function readSample(file: string, declared: number): Sample {
  const proto = readMessage(TensorProto, new Uint8Array(readFileSync(file)));
  // Old tests hold patterns of bfloat16 as uint16.
  const isBfloat16 = declared === BFLOAT16;
  const number = isBfloat16 && proto.dataType === 4 ? BFLOAT16 : (proto.dataType ?? 0);
  const shape = proto.dims.map(Number);
  if (number === 8)
    return { type: "string", shape, data: proto.stringData.map((bytes) => new TextDecoder().decode(bytes)) };
  const known = types[number];
  if (!known) throw new SampleError(`element type ${number} has no array in JavaScript`);
  const [type, view] = known;
  const bytes = proto.rawData ?? new Uint8Array(listed(proto, number));
  return { type, shape, data: view(bytes.slice().buffer as ArrayBuffer), ...(isBfloat16 && { isBfloat16 }) };
}

/** The bytes of elements that stand in a field of their own type. */
function listed(proto: TensorProto, number: number): ArrayBuffer {
  switch (number) {
    case 1:
      return Float32Array.from(proto.floatData).buffer;
    case 7:
      return BigInt64Array.from(proto.int64Data).buffer;
    case 11:
      return Float64Array.from(proto.doubleData).buffer;
    case 12:
      return Uint32Array.from(proto.uint64Data, Number).buffer;
    case 13:
      return BigUint64Array.from(proto.uint64Data).buffer;
    case 6:
      return Int32Array.from(proto.int32Data).buffer;
    case 2:
    case 3:
    case 9:
      return Uint8Array.from(proto.int32Data).buffer;
    default:
      return Uint16Array.from(proto.int32Data).buffer;
  }
}

export const ortTensor = ({ type, shape, data }: Sample): OrtTensor =>
  new OrtTensor(type as "float32", data as Float32Array, [...shape]);

/** The elements as numbers; integers beyond 2^53 are the nearest. */
export function numbersOf({ type, data }: Sample): readonly number[] {
  if (type === "float16") return Array.from(data as Uint16Array, fromHalf);
  return Array.from(data as ArrayLike<number | bigint>, Number);
}
