import sharp from "sharp";
import { LoreError } from "../errors.ts";
import type { RawImage } from "./source.ts";

/** Bytes that are no image this library can read: another format, corrupt, or cut short. */
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
 * Decodes an image file to RGB as `PIL.Image.open(file).convert("RGB")` does: the same pixels for 8-bit JPEG, PNG, WebP,
 * GIF and TIFF. Alpha is dropped, not blended; gray is repeated; CMYK is converted by its definition, without colour
 * profiles; embedded profiles and the EXIF orientation are ignored; of an animation the first frame counts. Images of
 * 16 bits a channel are scaled to 8 (PIL cuts 16-bit gray off at 255 instead).
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

/** libvips keeps a failure's details in one buffer of the process: another image that fails at the same time may take them. */
const lacksDetails = /:\s*$/;

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

async function decoded(bytes: Uint8Array): Promise<RawImage> {
  const options = { ignoreIcc: true, failOn: "error" } as const;
  const isCmyk = jpegComponents(bytes) !== 3 && (await sharp(bytes, options).metadata()).space === "cmyk";
  const pipeline = isCmyk
    ? sharp(bytes, options).pipelineColourspace("cmyk").toColourspace("cmyk")
    : sharp(bytes, options).toColourspace("srgb").removeAlpha();
  const { data, info } = await pipeline.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: isCmyk ? fromCmyk(data, info.channels) : data };
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
