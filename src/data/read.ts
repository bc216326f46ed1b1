import { readFile } from "node:fs/promises";
import { UsageError } from "../errors.ts";
import { framingOf, type ImageForm } from "../framing.ts";
import { lfsPointer } from "../lfs.ts";
import { DecodeError, decodeImage } from "./decode.ts";
import { ParquetImages } from "./parquet-rows.ts";
import { readAt } from "./positioned.ts";
import { preprocess } from "./preprocess.ts";
import { Skips } from "./skips.ts";
import { describeLocation, type ImageLocation, type ImageSource, type RawImage } from "./source.ts";
import { renderSynthetic } from "./synthetic-render.ts";

/** Cache of decoded blocks around the rows read so far. Each worker thread has its own. */
const parquetImages = new ParquetImages();

/**
 * The pixels of one image, resized and cut as `preprocess` does; a generated image is drawn at the size asked for.
 *
 * @throws {DecodeError} when the bytes are no complete image, or the image has another size than the framing needs. Also the
 * file system's error when they cannot be read, or an error of the container (a tar or Parquet file) that was damaged
 * since it was listed.
 */
export async function readImage(location: ImageLocation, form: ImageForm): Promise<RawImage> {
  const framing = framingOf(form);
  if (location.kind === "synthetic")
    return renderSynthetic(location.seed, location.split, location.index, framing.size);
  return preprocess(await decodeImage(await readBytes(location)), framing);
}

/** @throws {DecodeError} when the file is a Git LFS pointer instead of an image. */
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
