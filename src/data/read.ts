import { readFile } from "node:fs/promises";
import { UsageError } from "../errors.ts";
import { lfsPointer } from "../lfs.ts";
import { DecodeError, decodeImage } from "./decode.ts";
import { ParquetImages } from "./parquet-rows.ts";
import { readAt } from "./positioned.ts";
import { preprocess } from "./resize.ts";
import { Skips } from "./skips.ts";
import { describeLocation, type ImageLocation, type ImageSource, type RawImage } from "./source.ts";
import { renderSynthetic } from "./synthetic-render.ts";

/** What was decoded around the rows read so far; each worker thread has its own. */
const parquetImages = new ParquetImages();

/** How an image becomes `size` x `size`: resized and cut as `preprocess` does, or not at all. */
export interface Fit {
  readonly size: number;
  /** An image of another size is an error instead of being resized. */
  readonly exact?: boolean;
}

/**
 * The pixels of one image; a generated image is drawn at the size asked for.
 *
 * @throws {DecodeError} when the bytes are no complete image; the file system's error when they cannot be read, or an
 * error of the container (a tar or Parquet file) that was damaged since it was listed.
 */
export async function readImage(location: ImageLocation, { size, exact }: Fit): Promise<RawImage> {
  if (location.kind === "synthetic") return renderSynthetic(location.seed, location.split, location.index, size);
  const image = await decodeImage(await readBytes(location));
  if (!exact) return preprocess(image, size);
  const { width, height } = image;
  if (width === size && height === size) return image;
  throw new DecodeError(`it is ${width} x ${height} pixels, and ${size} x ${size} are needed at native resolution`);
}

/** @throws {DecodeError} when a Git LFS pointer lies in the image's place. */
async function readBytes(location: FileLocation): Promise<Uint8Array> {
  const bytes = await readContent(location);
  const pointer = lfsPointer(bytes);
  if (pointer === undefined) return bytes;
  throw new DecodeError(`it is ${pointer}`);
}

type FileLocation = Exclude<ImageLocation, { kind: "synthetic" }>;

function readContent(location: FileLocation): Promise<Uint8Array> {
  switch (location.kind) {
    case "file":
      return readFile(location.path);
    case "slice":
      return readAt(location.path, location.offset, location.length);
    case "parquet":
      return parquetImages.read(location);
  }
}

/**
 * The side of a source's images, for work on the pixels as they are; read off the first image that can be read.
 *
 * @throws {UsageError} when that image is not square, none can be read, or the images are generated and so have no size of
 * their own
 */
export async function nativeSize(source: ImageSource): Promise<number> {
  const skips = new Skips();
  for (const { id, location } of source.items) {
    if (location.kind === "synthetic")
      throw new UsageError(`${source.name}: generated images have no resolution of their own.`);
    const found = await sizeOf(location);
    if (typeof found === "string") {
      skips.add({ id, reason: found });
      continue;
    }
    const { width, height } = found;
    if (width === height) return width;
    throw new UsageError(
      `${source.name}: ${describeLocation(location)} is ${width} x ${height} pixels; at native resolution all images must be squares of one size.`,
    );
  }
  throw skips.nothingRead(source);
}

/** An image's size, or why it cannot be read. */
async function sizeOf(location: FileLocation): Promise<Pick<RawImage, "width" | "height"> | string> {
  try {
    return await decodeImage(await readBytes(location));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
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
