/** Keys's cubic kernel with a = -0.75, as PyTorch's bicubic interpolation of tensors uses it. */
function cubic(distance: number): number {
  const a = -0.75;
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** The inputs and weights of one output. */
export type Taps = readonly { readonly index: number; readonly weight: number }[];

/**
 * Bicubic interpolation along one axis without antialiasing, with half-pixel centres (PyTorch:
 * `interpolate(mode="bicubic", align_corners=False)`): the four inputs that each of `to` outputs reads, of `from`.
 * Beyond the ends the outermost input stands.
 */
export function bicubicTaps(from: number, to: number): readonly Taps[] {
  return Array.from({ length: to }, (_, i) => {
    const centre = ((i + 0.5) * from) / to - 0.5;
    const base = Math.floor(centre);
    return [-1, 0, 1, 2].map((offset) => ({
      index: Math.min(Math.max(base + offset, 0), from - 1),
      weight: cubic(centre - base - offset),
    }));
  });
}

/** The same as a matrix [to, from], row-major: interpolated = matrix signal. */
export function bicubicMatrix(from: number, to: number): Float32Array {
  return matrixOf(bicubicTaps(from, to), from);
}

/** Bilinear interpolation likewise. */
export function bilinearMatrix(from: number, to: number): Float32Array {
  const taps = Array.from({ length: to }, (_, i): Taps => {
    const centre = ((i + 0.5) * from) / to - 0.5;
    const base = Math.floor(centre);
    return [0, 1].map((offset) => ({
      index: Math.min(Math.max(base + offset, 0), from - 1),
      weight: 1 - Math.abs(centre - base - offset),
    }));
  });
  return matrixOf(taps, from);
}

function matrixOf(rows: readonly Taps[], width: number): Float32Array {
  const matrix = new Float32Array(rows.length * width);
  for (const [row, taps] of rows.entries())
    for (const { index, weight } of taps) matrix[row * width + index]! += weight;
  return matrix;
}
