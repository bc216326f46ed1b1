import { inside } from "./planes.ts";

/**
 * Motion blur as ImageMagick computes it, which made the published images: half a Gaussian along a line that starts at the
 * pixel, its points rounded to whole pixels, the edge's pixels repeated beyond it.
 *
 * @param plane [S, S]
 * @param angle in degrees, clockwise from the right
 */
export function motionBlur(
  plane: Float32Array,
  size: number,
  { radius, sigma, angle }: { readonly radius: number; readonly sigma: number; readonly angle: number },
): Float32Array {
  const length = 2 * Math.ceil(radius) + 1;
  const weights = Float64Array.from({ length }, (_, i) => Math.exp(-(i * i) / (2 * sigma * sigma)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const radians = (angle * Math.PI) / 180;
  const sums = new Float64Array(size * size);
  for (const [i, weight] of weights.entries()) {
    const dx = Math.ceil(i * Math.cos(radians) - 0.5);
    const dy = Math.ceil(i * Math.sin(radians) - 0.5);
    const columns = Int32Array.from({ length: size }, (_, x) => inside(x + dx, size, "nearest"));
    for (let y = 0; y < size; y++) {
      const row = inside(y + dy, size, "nearest") * size;
      for (let x = 0; x < size; x++) sums[y * size + x]! += (weight / sum) * plane[row + columns[x]!]!;
    }
  }
  return Float32Array.from(sums);
}
