import { type DType, type Storage, storageClass, type TypedArray } from "./tensor.ts";

/** A typed array over little-endian bytes: in place if they are aligned, else a copy. They must be a whole number of elements. */
export function viewAs<D extends DType>(dtype: D, bytes: Uint8Array): Storage[D] {
  const Class = storageClass(dtype);
  const size = Class.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new Class(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.length / size) as Storage[D];
}

/** The bytes of an array's elements, in place. */
export function bytesOf({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
