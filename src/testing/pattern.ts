import type { RawImage } from "../data/index.ts";

/** A picture with edges and gradients that needs no file; the same formula made what tests expect with Pillow. */
export function pattern(width: number, height: number): RawImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++, i++) {
        data[i] = ((x * 7 + y * 13 + c * 101) % 256) + ((x * x * 31 + y * y * 17 + x * y * 5 + c * 59) % 97) * 3;
      }
    }
  }
  return { width, height, data };
}

/** A checksum of bytes, as zlib has it. */
export function adler32(data: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}
