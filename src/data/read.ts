import { readFile } from "node:fs/promises";
import { decodeImage } from "./decode.ts";
import { ParquetImages } from "./parquet-rows.ts";
import { readAt } from "./positioned.ts";
import { preprocess } from "./resize.ts";
import type { ImageLocation, RawImage } from "./source.ts";
import { renderSynthetic } from "./synthetic-render.ts";

/** What was decoded around the rows read so far; each worker thread has its own. */
const parquetImages = new ParquetImages();

/**
 * The pixels of one image, resized and cut to `size` x `size` as `preprocess` does; a generated image is drawn at that
 * size.
 *
 * @throws {DecodeError} when the bytes are no complete image; the file system's error when they cannot be read, or an
 * error of the container (a tar or Parquet file) that was damaged since it was listed.
 */
export async function readImage(location: ImageLocation, size: number): Promise<RawImage> {
  switch (location.kind) {
    case "file":
      return preprocess(await decodeImage(await readFile(location.path)), size);
    case "slice":
      return preprocess(await decodeImage(await readAt(location.path, location.offset, location.length)), size);
    case "parquet":
      return preprocess(await decodeImage(await parquetImages.read(location)), size);
    case "synthetic":
      return renderSynthetic(location.seed, location.split, location.index, size);
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
