import { type Border, inside } from "./planes.ts";

/** Weights of input positions for each output position of an axis. Only `from[i]` ... `to[i]` are non-zero. */
interface AxisFilter {
  /** [count, count] */
  readonly weights: Float64Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
}

/** A symmetric kernel of odd length on an axis. Taps beyond the edge go to the pixels that `border` puts there. */
function axisFilter(kernel: Float64Array, count: number, border: Border): AxisFilter {
  const radius = (kernel.length - 1) / 2;
  const weights = new Float64Array(count * count);
  const from = new Int32Array(count).fill(count);
  const to = new Int32Array(count).fill(-1);
  for (let i = 0; i < count; i++)
    for (let tap = -radius; tap <= radius; tap++) {
      const j = inside(i + tap, count, border);
      weights[i * count + j]! += kernel[tap + radius]!;
      from[i] = Math.min(from[i]!, j);
      to[i] = Math.max(to[i]!, j);
    }
  return { weights, from, to };
}

/** Filters along rows, then along columns. */
function separable(plane: Float32Array, size: number, { weights, from, to }: AxisFilter): Float32Array {
  const rows = new Float64Array(size * size);
  for (let start = 0; start < rows.length; start += size)
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let j = from[i]!; j <= to[i]!; j++) sum += weights[i * size + j]! * plane[start + j]!;
      rows[start + i] = sum;
    }
  const sums = new Float64Array(size);
  const result = new Float32Array(size * size);
  for (let i = 0; i < size; i++) {
    sums.fill(0);
    for (let j = from[i]!; j <= to[i]!; j++) {
      const weight = weights[i * size + j]!;
      for (let x = 0; x < size; x++) sums[x]! += weight * rows[j * size + x]!;
    }
    result.set(sums, i * size);
  }
  return result;
}

export function gaussianKernel(sigma: number, radius: number): Float64Array {
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-0.5 * ((i - radius) / sigma) ** 2));
  const sum = kernel.reduce((total, weight) => total + weight, 0);
  return kernel.map((weight) => weight / sum);
}

/**
 * A Gaussian filter as scipy and scikit-image have it.
 *
 * @param plane [S, S]
 * @param sigma in pixels; 0 leaves the plane as it is
 * @param options.truncate where the kernel ends, in standard deviations
 */
export function gaussianFilter(
  plane: Float32Array,
  size: number,
  sigma: number,
  { border = "nearest" as Border, truncate = 4 } = {},
): Float32Array {
  const radius = Math.floor(truncate * sigma + 0.5);
  if (radius === 0) return plane;
  return separable(plane, size, axisFilter(gaussianKernel(sigma, radius), size, border));
}

/** Mean of 3 x 3 pixels. */
export function boxFilter(plane: Float32Array, size: number): Float32Array {
  return separable(plane, size, axisFilter(new Float64Array(3).fill(1 / 3), size, "mirror"));
}

/** A square kernel of odd side, rows from the top. */
export interface Kernel {
  readonly side: number;
  readonly weights: Float64Array;
}

/** Correlation of a plane [S, S] with a kernel, mirrored at the last pixel. */
export function correlate(plane: Float32Array, size: number, { side, weights }: Kernel): Float32Array {
  const radius = (side - 1) / 2;
  const wide = size + 2 * radius;
  const padded = new Float32Array(wide * wide);
  for (let y = 0; y < wide; y++) {
    const row = inside(y - radius, size, "mirror") * size;
    for (let x = 0; x < wide; x++) padded[y * wide + x] = plane[row + inside(x - radius, size, "mirror")]!;
  }
  const sums = new Float64Array(size * size);
  for (const [tap, weight] of weights.entries()) {
    if (weight === 0) continue;
    const shift = Math.floor(tap / side) * wide + (tap % side);
    for (let y = 0; y < size; y++) {
      const at = y * wide + shift;
      for (let x = 0; x < size; x++) sums[y * size + x]! += weight * padded[at + x]!;
    }
  }
  return Float32Array.from(sums);
}

/** A disk whose edge is smoothed by a Gaussian: the aperture of a lens out of focus. */
export function diskKernel(radius: number, smoothing: number): Kernel {
  const reach = radius <= 8 ? 8 : Math.ceil(radius);
  const side = 2 * reach + 1;
  const inDisk = Float32Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [(i % side) - reach, Math.floor(i / side) - reach];
    return x * x + y * y <= radius * radius ? 1 : 0;
  });
  const count = inDisk.reduce((total, weight) => total + weight, 0);
  const smooth = axisFilter(gaussianKernel(smoothing, radius <= 8 ? 1 : 2), side, "mirror");
  const disk = inDisk.map((weight) => weight / count);
  return { side, weights: Float64Array.from(separable(disk, side, smooth)) };
}
