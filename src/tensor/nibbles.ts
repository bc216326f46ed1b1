/** Unpacks 4-bit integers, two per byte with the first in the lower half, to one element per byte. */
export function unpackNibbles(dtype: "int4" | "uint4", bytes: Uint8Array, count: number): Int8Array | Uint8Array {
  const unpacked = dtype === "int4" ? new Int8Array(count) : new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const nibble = (bytes[i >> 1]! >> (4 * (i & 1))) & 15;
    unpacked[i] = dtype === "int4" && nibble > 7 ? nibble - 16 : nibble;
  }
  return unpacked;
}

/** Packs elements two per byte. If their number is odd, the last half is 0. */
export function packNibbles(elements: ArrayLike<number>): Uint8Array {
  const packed = new Uint8Array(Math.ceil(elements.length / 2));
  for (let i = 0; i < elements.length; i++) packed[i >> 1]! |= (elements[i]! & 15) << (4 * (i & 1));
  return packed;
}
