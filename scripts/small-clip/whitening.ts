import type { RandomStream } from "../../src/random.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/**
 * Weights of a patch projection [width, 3, patch, patch] that first whitens patches, then mixes them at random: edges
 * then weigh as much as brightness from the first step on.
 *
 * @param images [count, 3, size, size], normalised
 */
export function whiteningProjection(
  images: Float32Array,
  size: number,
  patch: number,
  width: number,
  random: RandomStream,
): Tensor<"float32"> {
  const length = 3 * patch * patch;
  const { values, vectors } = eigenvectors(covariance(images, size, patch), length);
  // Directions with next to no variance (JPEG keeps no finest detail) must not be blown up.
  const scales = values.map((value) => 1 / Math.sqrt(value + 0.02));
  const data = new Float32Array(width * length);
  for (let row = 0; row < width; row++) {
    for (let k = 0; k < length; k++) {
      const mix = (random.normal() * scales[k]!) / Math.sqrt(length);
      for (let i = 0; i < length; i++) data[row * length + i]! += mix * vectors[i * length + k]!;
    }
  }
  return { dtype: "float32", shape: [width, 3, patch, patch], data };
}

/** Second moments of all non-overlapping patches, [length, length]. */
function covariance(images: Float32Array, size: number, patch: number): Float64Array {
  const length = 3 * patch * patch;
  const sums = new Float64Array(length * length);
  const grid = size / patch;
  const one = new Float64Array(length);
  const count = (images.length / (3 * size * size)) * grid * grid;
  for (let at = 0; at < count; at++) {
    const image = Math.floor(at / (grid * grid));
    const [row, column] = [Math.floor((at % (grid * grid)) / grid) * patch, (at % grid) * patch];
    for (let i = 0; i < length; i++) {
      const [channel, y, x] = [Math.floor(i / (patch * patch)), Math.floor(i / patch) % patch, i % patch];
      one[i] = images[((image * 3 + channel) * size + row + y) * size + column + x]!;
    }
    for (let i = 0; i < length; i++) for (let j = 0; j < length; j++) sums[i * length + j]! += one[i]! * one[j]!;
  }
  return sums.map((sum) => sum / count);
}

/** Jacobi's rotations for a symmetric matrix [n, n]; column k of `vectors` belongs to value k. */
function eigenvectors(matrix: Float64Array, n: number): { readonly values: number[]; readonly vectors: Float64Array } {
  const a = matrix.slice();
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const rotate = (m: Float64Array, p: number, q: number, c: number, s: number, step: number, stride: number): void => {
    for (let k = 0; k < n; k++) {
      const [x, y] = [m[p * step + k * stride]!, m[q * step + k * stride]!];
      m[p * step + k * stride] = c * x - s * y;
      m[q * step + k * stride] = s * x + c * y;
    }
  };
  for (let sweep = 0; sweep < 12; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p * n + q] === 0) continue;
        const theta = 0.5 * Math.atan2(2 * a[p * n + q]!, a[q * n + q]! - a[p * n + p]!);
        const [c, s] = [Math.cos(theta), Math.sin(theta)];
        rotate(a, p, q, c, s, n, 1);
        rotate(a, p, q, c, s, 1, n);
        rotate(v, p, q, c, s, 1, n);
      }
    }
  }
  return { values: Array.from({ length: n }, (_, i) => Math.max(a[i * n + i]!, 0)), vectors: v };
}
