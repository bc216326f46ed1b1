import sharp, { type Metadata } from "sharp";
import { LoreError } from "../errors.ts";
import { avifFacts, untransformed } from "./avif.ts";
import { firstFrame, type GifFrame, isGif } from "./gif.ts";
import type { RawImage } from "./source.ts";

/** Bytes that are no image this library can read (another format, corrupt, cut short), or an image of the wrong size. */
export class DecodeError extends LoreError {
  override readonly name = "DecodeError";
}

/** File extensions (lower case) that `imageFolder` takes for images. */
export const imageExtensions: readonly string[] = [
  "jpg",
  "jpeg",
  "jpe",
  "jfif",
  "png",
  "webp",
  "gif",
  "tif",
  "tiff",
  "avif",
];

export function isImageName(name: string): boolean {
  return imageExtensions.includes(name.slice(name.lastIndexOf(".") + 1).toLowerCase());
}

/**
 * Decodes an image file to RGB as `PIL.Image.open(file).convert("RGB")` does: the same pixels for JPEG, PNG, WebP, GIF and
 * TIFF, and within a level for AVIF. Alpha and transparent colours are dropped, not blended; gray is repeated; CMYK is
 * converted by its definition, without colour profiles; embedded profiles and the EXIF orientation are ignored (a TIFF's own
 * orientation is not); of 16 bits a channel the upper 8 count; of an animation the first frame.
 *
 * Images on which decoders differ are refused: AVIF with subsampled colour, which each interpolates in its own way; gray
 * of more than 8 bits, which PIL cuts off at 255 and others scale; signed and floating-point samples.
 *
 * @param bytes The whole file.
 * @throws {DecodeError} on anything that is no complete image.
 */
export async function decodeImage(bytes: Uint8Array): Promise<RawImage> {
  try {
    return await decoded(bytes).catch((cause: unknown) => {
      if (lacksDetails.test(reasonOf(cause))) return decoded(bytes);
      throw cause;
    });
  } catch (cause) {
    throw new DecodeError(reasonOf(cause).replace(lacksDetails, ""), { cause });
  }
}

/** libvips keeps error details in one buffer per process. Another image that fails at the same time may take them. */
const lacksDetails = /:\s*$/;

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

async function decoded(bytes: Uint8Array): Promise<RawImage> {
  if (isGif(bytes)) {
    const frame = firstFrame(bytes);
    return frame ? onScreen(frame, await pixelsOf(frame.alone)) : pixelsOf(bytes);
  }
  const avif = avifFacts(bytes);
  if (!avif) return pixelsOf(bytes);
  if (avif.subsampled)
    throw new DecodeError(
      "AVIF with subsampled colour, which decoders interpolate differently: save it as PNG, or as AVIF 4:4:4",
    );
  if (avif.transforms.some(({ type }) => type === "clap"))
    throw new DecodeError("AVIF that its own metadata crop: save it as PNG");
  return pixelsOf(untransformed(bytes, avif));
}

const options = { ignoreIcc: true, failOn: "error" } as const;
/** Maximum number of pixels. It is sharp's own limit, applied to images that sharp does not see whole. */
const maxPixels = 0x3fff ** 2;

function onScreen({ width, height, left, top, fill }: GifFrame, image: RawImage): RawImage {
  if (image.width === width && image.height === height) return image;
  if (width * height > maxPixels) throw new DecodeError(`GIF of ${width} x ${height} pixels, which is too large`);
  const data = new Uint8Array(width * height * 3).map((_, i) => fill[i % 3]!);
  const row = image.width * 3;
  for (let y = 0; y < image.height; y++)
    data.set(image.data.subarray(y * row, (y + 1) * row), ((top + y) * width + left) * 3);
  return { width, height, data };
}

async function pixelsOf(bytes: Uint8Array): Promise<RawImage> {
  const metadata = jpegComponents(bytes) === 3 ? undefined : await sharp(bytes, options).metadata();
  if (metadata) refuseSamples(metadata, bytes);
  const isCmyk = metadata?.space === "cmyk";
  const turned = sharp(bytes, { ...options, autoOrient: metadata?.format === "tiff" });
  const pipeline = isCmyk
    ? turned.pipelineColourspace("cmyk").toColourspace("cmyk")
    : turned.toColourspace("srgb").removeAlpha();
  const { data, info } = await pipeline.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: isCmyk ? fromCmyk(data, info.channels) : data };
}

/** @throws {DecodeError} on samples that PIL reads differently, or not at all */
function refuseSamples({ format, space, depth, channels }: Metadata, bytes: Uint8Array): void {
  if (depth === "uchar") return;
  // The colour type of a PNG's header: 0 is gray, also where one of its levels is transparent.
  const isColour = format === "png" ? bytes[25] !== 0 : format === "tiff" && space === "rgb16" && channels === 3;
  if (depth === "ushort" && isColour) return;
  throw new DecodeError(
    `its ${space} samples are of type ${depth}, which decoders bring to 8 bits in different ways: save it with 8 bits a channel`,
  );
}

/** PIL's conversion: each ink darkens what black leaves over, in integers. */
function fromCmyk(data: Uint8Array, channels: number): Uint8Array {
  const count = data.length / channels;
  const rgb = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) {
    const white = 255 - data[i * channels + 3]!;
    for (let c = 0; c < 3; c++) rgb[i * 3 + c] = white - timesOver255(data[i * channels + c]!, white);
  }
  return rgb;
}

/** round(a * b / 255) for bytes, without a division. */
function timesOver255(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/**
 * Number of colour components of a JPEG file, from its frame header; undefined where there is none. Asking libvips takes
 * a fifth of the time of decoding a small photograph, and nearly all photographs have three.
 */
function jpegComponents(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  for (let at = 2; bytes[at] === 0xff && at + 9 < bytes.length; ) {
    const marker = bytes[at + 1]!;
    // Frame headers are C0 ... CF, except for C4 (Huffman tables), C8 (reserved) and CC (arithmetic coding).
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return bytes[at + 9];
    at += 2 + bytes[at + 2]! * 256 + bytes[at + 3]!;
  }
  return undefined;
}
