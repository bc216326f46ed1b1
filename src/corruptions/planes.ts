/*
 * Square images as planes: Float32Array [3, S, S] for RGB, [S, S] for one plane, rows from the top.
 */

/** Padding beyond the edge: its pixel repeated, the image mirrored at the edge (dcba|abcd), or at the last pixel (dcb|abcd). */
export type Border = "nearest" | "reflect" | "mirror";

/** The position inside 0 ... count - 1 that stands for one outside. */
export function inside(position: number, count: number, border: Border): number {
  if (position >= 0 && position < count) return position;
  if (border === "nearest") return position < 0 ? 0 : count - 1;
  if (count === 1) return 0;
  const period = border === "reflect" ? 2 * count : 2 * count - 2;
  const wrapped = ((position % period) + period) % period;
  if (wrapped < count) return wrapped;
  return border === "reflect" ? period - 1 - wrapped : period - wrapped;
}

/** Applies a function to each plane of an image [3, S, S]. */
export function eachPlane(image: Float32Array, change: (plane: Float32Array, channel: number) => Float32Array) {
  const result = new Float32Array(image.length);
  const area = image.length / 3;
  for (let c = 0; c < 3; c++) result.set(change(image.subarray(c * area, (c + 1) * area), c), c * area);
  return result;
}

export function clip(value: number, low = 0, high = 1): number {
  return value < low ? low : value > high ? high : value;
}

/** Interpolates between the four pixels around (x, y). */
export function bilinear(plane: Float32Array, size: number, x: number, y: number, border: Border): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [u, v] = [x - left, y - top];
  const [x0, x1] = [inside(left, size, border), inside(left + 1, size, border)];
  const [y0, y1] = [inside(top, size, border) * size, inside(top + 1, size, border) * size];
  const upper = plane[y0 + x0]! * (1 - u) + plane[y0 + x1]! * u;
  const lower = plane[y1 + x0]! * (1 - u) + plane[y1 + x1]! * u;
  return upper * (1 - v) + lower * v;
}
