import type { DType } from "./tensor.ts";

/** ONNX's number for each element type (TensorProto.DataType). */
const numbers: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  uint4: 21,
  int4: 22,
};

/** ONNX's number for bfloat16, which is read as float32. */
export const BFLOAT16 = 16;

const dtypes = new Map(Object.entries(numbers).map(([dtype, number]) => [number, dtype as DType]));

/** ONNX's number for an element type. */
export const elementTypeOf = (dtype: DType): number => numbers[dtype];

/** The element type of ONNX's number; undefined for the ones this project does not carry. */
export const dtypeOfElementType = (number: number): DType | undefined => dtypes.get(number);

/** Is this the name of an element type? */
export const isDType = (name: unknown): name is DType => typeof name === "string" && Object.hasOwn(numbers, name);

/** Attributes that name an element type: what a Cast or a random node gives. */
export const elementTypeAttributes: ReadonlySet<string> = new Set(["to", "dtype", "output_dtype"]);
