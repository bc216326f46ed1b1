import type { RandomStream } from "../random.ts";

/** Where a square window's pixels lie within a channel, row by row. */
export type Window = Int32Array;

export function windowAt(row: number, column: number, side: number, size: number): Window {
  return new Int32Array(side * side).map((_, i) => (row + Math.floor(i / side)) * size + column + (i % side));
}

/**
 * A window anywhere in the picture but at its last row and column: the reference implementation leaves these out too. The
 * last row and column of pixels so stay as the start made them, unless the window is the whole picture.
 */
export function randomWindow(side: number, size: number, random: RandomStream): Window {
  const places = Math.max(size - side, 1);
  const [row, column] = [random.below(places), random.below(places)];
  return windowAt(row, column, side, size);
}

/** Copies the window's pixels from one image [3, size, size] to another. */
export function copyWindow(window: Window, from: Float32Array, to: Float32Array): void {
  const channel = to.length / 3;
  for (let start = 0; start < to.length; start += channel) {
    for (const at of window) to[start + at] = from[start + at]!;
  }
}
