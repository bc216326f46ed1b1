import { UsageError } from "../errors.ts";
import type { Filter } from "../framing.ts";
import { kernels } from "./filters.ts";
import type { RawImage } from "./source.ts";

/*
 * Pillow's resize for 8-bit images, from its definition: vision encoders were trained on images that Pillow resized, and
 * other resizers (libvips' among them) differ from it by several grey levels.
 */

/** Bits after the binary point of the weights: 8 bits of a pixel and 2 bits of head-room leave 22 of an int32. */
const PRECISION = 22;

/** The part of the resized image that is wanted, in its own pixels. */
export interface Window {
  readonly start: number;
  readonly length: number;
}

/** An output axis: its full length, and the part of it that is computed. */
export interface Axis {
  readonly total: number;
  readonly window: Window;
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
 * The image at another size, as Pillow's `image.resize((width, height), filter)` gives it, bit for bit. The aspect ratio is
 * not kept.
 *
 * @throws {UsageError} when a side is no positive integer.
 */
export function resize(image: RawImage, width: number, height: number, filter: Filter): RawImage {
  if (![width, height].every((side) => Number.isInteger(side) && side >= 1)) {
    throw new UsageError(`Image size ${width}x${height}: both sides must be positive whole numbers of pixels.`);
  }
  const whole = (total: number): Axis => ({ total, window: { start: 0, length: total } });
  return resample(image, whole(width), whole(height), filter);
}

/**
 * A part of the image at another size. Enlarging interpolates; shrinking widens the kernel (antialiasing), except with the
 * nearest neighbour. Rounds to 8 bits between the two passes, as Pillow does.
 */
export function resample(image: RawImage, horizontal: Axis, vertical: Axis, filter: Filter): RawImage {
  if (filter === "nearest") return nearest(image, horizontal, vertical);
  const rows = taps(image.height, vertical, filter);
  const columns = taps(image.width, horizontal, filter);
  // The first pass resizes only the rows that the second one reads.
  const firstRow = rows.starts[0]!;
  const lastRow = rows.starts[rows.starts.length - 1]! + rows.counts[rows.counts.length - 1]!;
  const width = horizontal.window.length;
  const narrowed = resizeRows(image, columns, firstRow, lastRow - firstRow, width);
  return { width, height: vertical.window.length, data: resizeColumns(narrowed, rows, firstRow, width) };
}

function nearest(image: RawImage, horizontal: Axis, vertical: Axis): RawImage {
  const rows = nearestPlaces(image.height, vertical);
  const columns = nearestPlaces(image.width, horizontal);
  const data = new Uint8Array(rows.length * columns.length * 3);
  let out = 0;
  for (const row of rows) {
    for (const column of columns) {
      const at = (row * image.width + column) * 3;
      data[out++] = image.data[at]!;
      data[out++] = image.data[at + 1]!;
      data[out++] = image.data[at + 2]!;
    }
  }
  return { width: columns.length, height: rows.length, data };
}

/** Accumulates the scale as Pillow does, for the same rounding. */
function nearestPlaces(sourceLength: number, { total, window: { start, length } }: Axis): Int32Array {
  const scale = sourceLength / total;
  const places = new Int32Array(length);
  for (let i = 0, place = scale * 0.5; i < start + length; i++, place += scale)
    if (i >= start) places[i - start] = Math.min(Math.trunc(place), sourceLength - 1);
  return places;
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

function taps(sourceLength: number, { total, window }: Axis, filter: Exclude<Filter, "nearest">): Taps {
  const { length } = window;
  if (sourceLength === total) return unchanged(window);
  const scale = sourceLength / total;
  const stretch = Math.max(scale, 1);
  const { support: radius, weight } = kernels[filter];
  const support = radius * stretch;
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
      exact[tap] = weight((tap + start - center + 0.5) * (1 / stretch));
      sum += exact[tap]!;
    }
    for (let tap = 0; tap < count; tap++) {
      const fixed = (sum === 0 ? exact[tap]! : exact[tap]! / sum) * (1 << PRECISION);
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
