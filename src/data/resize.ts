import { UsageError } from "../errors.ts";
import type { RawImage } from "./source.ts";

/*
 * Pillow's bicubic resize for 8-bit images, from its definition: vision encoders were trained on images that Pillow
 * resized, and other resizers (libvips' among them) differ from it by several grey levels.
 */

/** Bits after the binary point of the weights: 8 bits of a pixel and 2 bits of head-room leave 22 of an int32. */
const PRECISION = 22;

/** Radius of the bicubic kernel, in source pixels at scale 1. */
const RADIUS = 2;

/** The part of the resized image that is wanted, in its own pixels. */
interface Window {
  readonly start: number;
  readonly length: number;
}

/** For each output position: where its source pixels start, how many there are, and their fixed-point weights. */
interface Taps {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** `weights[position * stride + tap]`. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/**
 * What torchvision's `Resize(size, bicubic)` and `CenterCrop(size)` make of a PIL image, bit for bit: the shortest side
 * becomes `size`, the longest `floor(size * longest / shortest)`, then the centre `size` x `size` is cut out.
 *
 * Enlarging interpolates; shrinking widens the kernel (antialiasing). Rounds to 8 bits between the two passes, as
 * Pillow does.
 *
 * @param size Side of the result in pixels.
 * @throws {UsageError} when `size` is no positive integer.
 */
export function preprocess(image: RawImage, size: number): RawImage {
  if (!Number.isInteger(size) || size < 1) {
    throw new UsageError(`Image size ${size}: must be a positive whole number of pixels.`);
  }
  const { width, height } = image;
  const shortest = Math.min(width, height);
  const resizedWidth = width === shortest ? size : Math.floor((size * width) / shortest);
  const resizedHeight = height === shortest ? size : Math.floor((size * height) / shortest);
  return resample(
    image,
    { total: resizedWidth, window: { start: cropOffset(resizedWidth, size), length: size } },
    { total: resizedHeight, window: { start: cropOffset(resizedHeight, size), length: size } },
  );
}

/**
 * The image at another size, as Pillow's `image.resize((width, height), BICUBIC)` gives it, bit for bit. The aspect
 * ratio is not kept.
 *
 * @throws {UsageError} when a side is no positive integer.
 */
export function resizeBicubic(image: RawImage, width: number, height: number): RawImage {
  if (![width, height].every((side) => Number.isInteger(side) && side >= 1)) {
    throw new UsageError(`Image size ${width}x${height}: both sides must be positive whole numbers of pixels.`);
  }
  return resample(
    image,
    { total: width, window: { start: 0, length: width } },
    { total: height, window: { start: 0, length: height } },
  );
}

/** `int(round((resized - size) / 2))` of torchvision's centre crop; Python rounds halves to the even neighbour. */
function cropOffset(resized: number, size: number): number {
  const margin = resized - size;
  const half = Math.floor(margin / 2);
  return margin % 2 === 0 || half % 2 === 0 ? half : half + 1;
}

/** An output axis: its full length, and the part of it that is computed. */
interface Axis {
  readonly total: number;
  readonly window: Window;
}

function resample(image: RawImage, horizontal: Axis, vertical: Axis): RawImage {
  const rows = taps(image.height, vertical);
  const columns = taps(image.width, horizontal);
  // Only the rows that the second pass reads are worth resizing in the first.
  const firstRow = rows.starts[0]!;
  const lastRow = rows.starts[rows.starts.length - 1]! + rows.counts[rows.counts.length - 1]!;
  const width = horizontal.window.length;
  const narrowed = resizeRows(image, columns, firstRow, lastRow - firstRow, width);
  return { width, height: vertical.window.length, data: resizeColumns(narrowed, rows, firstRow, width) };
}

function resizeRows(image: RawImage, taps: Taps, firstRow: number, rowCount: number, width: number): Uint8Array {
  const { data } = image;
  const { starts, counts, weights, stride } = taps;
  const result = new Uint8Array(rowCount * width * 3);
  let out = 0;
  for (let row = 0; row < rowCount; row++) {
    const rowStart = (firstRow + row) * image.width * 3;
    for (let x = 0; x < width; x++) {
      let red = 1 << (PRECISION - 1);
      let green = red;
      let blue = red;
      let at = rowStart + starts[x]! * 3;
      const end = x * stride + counts[x]!;
      for (let tap = x * stride; tap < end; tap++) {
        const weight = weights[tap]!;
        red = (red + Math.imul(data[at++]!, weight)) | 0;
        green = (green + Math.imul(data[at++]!, weight)) | 0;
        blue = (blue + Math.imul(data[at++]!, weight)) | 0;
      }
      result[out++] = toByte(red);
      result[out++] = toByte(green);
      result[out++] = toByte(blue);
    }
  }
  return result;
}

function resizeColumns(data: Uint8Array, taps: Taps, firstRow: number, width: number): Uint8Array {
  const { starts, counts, weights, stride } = taps;
  const rowLength = width * 3;
  const result = new Uint8Array(starts.length * rowLength);
  for (let y = 0, out = 0; y < starts.length; y++) {
    const firstTap = y * stride;
    const endTap = firstTap + counts[y]!;
    const source = (starts[y]! - firstRow) * rowLength;
    for (let i = 0; i < rowLength; i++) {
      let sum = 1 << (PRECISION - 1);
      for (let tap = firstTap, at = source + i; tap < endTap; tap++, at += rowLength) {
        sum = (sum + Math.imul(data[at]!, weights[tap]!)) | 0;
      }
      result[out++] = toByte(sum);
    }
  }
  return result;
}

/** Back from fixed point, cut to 0 ... 255. */
function toByte(sum: number): number {
  return Math.max(0, Math.min(sum >> PRECISION, 255));
}

/** The cubic convolution kernel with a = -0.5 (Catmull-Rom). */
function bicubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}

function taps(sourceLength: number, { total, window }: Axis): Taps {
  const { length } = window;
  if (sourceLength === total) return unchanged(window);
  const scale = sourceLength / total;
  const stretch = Math.max(scale, 1);
  const support = RADIUS * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(length);
  const counts = new Int32Array(length);
  const weights = new Int32Array(length * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < length; i++) {
    const center = (window.start + i + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const count = Math.min(Math.trunc(center + support + 0.5), sourceLength) - start;
    starts[i] = start;
    counts[i] = count;
    let sum = 0;
    for (let tap = 0; tap < count; tap++) {
      exact[tap] = bicubic((tap + start - center + 0.5) * (1 / stretch));
      sum += exact[tap]!;
    }
    for (let tap = 0; tap < count; tap++) {
      const fixed = (exact[tap]! / sum) * (1 << PRECISION);
      weights[i * stride + tap] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
  }
  return { starts, counts, weights, stride };
}

/** Taps that copy: Pillow skips a pass whose length does not change, which a weight of exactly 1 equals. */
function unchanged({ start, length }: Window): Taps {
  return {
    starts: Int32Array.from({ length }, (_, i) => start + i),
    counts: new Int32Array(length).fill(1),
    weights: new Int32Array(length).fill(1 << PRECISION),
    stride: 1,
  };
}
