import { UsageError } from "../errors.ts";
import { type Crop, cropOffset, type Filter, type Framing } from "../framing.ts";
import { DecodeError } from "./decode.ts";
import { type Axis, resample } from "./resize.ts";
import type { RawImage } from "./source.ts";

/**
 * The square that an encoder takes of an image, as Pillow's resize and the crop of transformers or torchvision make it, bit
 * for bit. Margins around an image that is smaller than the square are black.
 *
 * @throws {UsageError} when the framing's size is no positive integer
 * @throws {DecodeError} when nothing is cut and the image is no square of that size
 */
export function preprocess(image: RawImage, { size, resize, crop }: Framing): RawImage {
  if (!Number.isInteger(size) || size < 1)
    throw new UsageError(`Image size ${size}: must be a positive whole number of pixels.`);
  const { width, height, filter } = resizedTo(image, resize);
  if (crop !== "none") return cut(image, { width, height, filter, size, crop });
  if (width === size && height === size) return cut(image, { width, height, filter, size, crop: "down" });
  const [resized, done] = resize.kind === "none" ? ["", "resized or cut"] : [" once it is resized", "cut"];
  throw new DecodeError(
    `it is ${width} x ${height} pixels${resized}, and ${size} x ${size} are needed, since nothing is ${done}`,
  );
}

interface Resized {
  readonly width: number;
  readonly height: number;
  readonly filter: Filter;
}

function resizedTo({ width, height }: RawImage, resize: Framing["resize"]): Resized {
  switch (resize.kind) {
    case "none":
      // No filter has an effect without a change of size.
      return { width, height, filter: "nearest" };
    case "exact":
      return resize;
    case "shortest": {
      const { edge, filter } = resize;
      const shortest = Math.min(width, height);
      const side = (pixels: number): number => (pixels === shortest ? edge : Math.floor((edge * pixels) / shortest));
      return { width: side(width), height: side(height), filter };
    }
  }
}

interface Cut extends Resized {
  readonly size: number;
  readonly crop: Exclude<Crop, "none">;
}

function cut(image: RawImage, { width, height, filter, size, crop }: Cut): RawImage {
  const [across, down] = [visible(width, size, crop), visible(height, size, crop)];
  const seen = resample(image, across.axis, down.axis, filter);
  if (seen.width === size && seen.height === size) return seen;
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < seen.height; y++)
    data.set(
      seen.data.subarray(y * seen.width * 3, (y + 1) * seen.width * 3),
      ((down.margin + y) * size + across.margin) * 3,
    );
  return { width: size, height: size, data };
}

/** The part of an axis that lies in the square, and how much of the square lies before it. */
function visible(total: number, size: number, crop: Cut["crop"]): { readonly axis: Axis; readonly margin: number } {
  const offset = cropOffset(total - size, crop);
  const start = Math.max(offset, 0);
  const length = Math.min(offset + size, total) - start;
  return { axis: { total, window: { start, length } }, margin: Math.max(-offset, 0) };
}
