import { open, readFile } from "node:fs/promises";
import { LoreError } from "../errors.ts";
import { decodeImage } from "./decode.ts";
import { preprocess } from "./resize.ts";
import type { ImageLocation, ImageSlice, RawImage } from "./source.ts";
import { renderSynthetic } from "./synthetic-render.ts";

/**
 * The pixels of one image, resized and cut to `size` x `size` as `preprocess` does; a generated image is drawn at that
 * size.
 *
 * @throws {DecodeError} when the bytes are no complete image; the file system's error when they cannot be read, or a
 * LoreError when the file was cut off since it was listed.
 */
export async function readImage(location: ImageLocation, size: number): Promise<RawImage> {
  switch (location.kind) {
    case "file":
      return preprocess(await decodeImage(await readFile(location.path)), size);
    case "slice":
      return preprocess(await decodeImage(await readSlice(location)), size);
    case "synthetic":
      return renderSynthetic(location.seed, location.split, location.index, size);
  }
}

async function readSlice({ path, offset, length }: ImageSlice): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
    if (bytesRead < length) throw new LoreError(`${path} ends inside it: the file was changed after it was listed`);
    return buffer;
  } finally {
    await file.close();
  }
}

const levels = Float32Array.from({ length: 256 }, (_, level) => level / 255);

/**
 * Writes an image as float32 planes (3 channels, height, width) with values level / 255 in [0, 1].
 *
 * @param offset Where in `out` the first element goes, counted in elements.
 */
export function writePlanes({ data }: RawImage, out: Float32Array, offset: number): void {
  const area = data.length / 3;
  for (let channel = 0; channel < 3; channel++) {
    const plane = offset + channel * area;
    for (let i = 0; i < area; i++) out[plane + i] = levels[data[i * 3 + channel]!]!;
  }
}
