/** Element types that this project computes with or passes through. Names follow ONNX Runtime's JavaScript API. */
export type DType = keyof Storage;

/** Storage of each element type. float16 is held as raw 16-bit patterns, bool and 4-bit integers as one byte per element. */
export interface Storage {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly float16: Uint16Array;
  readonly uint4: Uint8Array;
  readonly int4: Int8Array;
  readonly uint8: Uint8Array;
  readonly int8: Int8Array;
  readonly uint16: Uint16Array;
  readonly int16: Int16Array;
  readonly uint32: Uint32Array;
  readonly int32: Int32Array;
  readonly uint64: BigUint64Array;
  readonly int64: BigInt64Array;
  readonly bool: Uint8Array;
}

export type TypedArray = Storage[DType];

/** A dense tensor: row-major elements, `data.length` equal to the product of `shape`. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: Storage[D];
}

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  uint4: Uint8Array,
  int4: Int8Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const;

/** The typed-array class that stores elements of `dtype`. */
export function storageClass<D extends DType>(dtype: D): (typeof constructors)[D] {
  return constructors[dtype];
}

/** Number of elements of a tensor of this shape (1 for a scalar). */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

/** A zero-filled array that holds a tensor of this type and shape. */
export function allocate<D extends DType>(dtype: D, shape: readonly number[]): Storage[D] {
  return new constructors[dtype](elementCount(shape)) as Storage[D];
}

/** `float32[8, 3]`, as error messages print a type. */
export function describeType(dtype: DType, shape: readonly (number | string)[]): string {
  return `${dtype}[${shape.join(", ")}]`;
}
