/** Operators without an ONNX Runtime kernel on CPU, as loops straight from their definitions. */

/**
 * softmax(Q K^T / sqrt(D)) V of operands packed as [N, T, H, P, D]: queries, keys and values, or keys and values only.
 *
 * @returns rows, [N, S, H D]
 */
export function packedAttention(
  packed: Float64Array,
  [n, t, h, d]: readonly [number, number, number, number],
  queries?: { readonly data: Float64Array; readonly rows: number },
): readonly number[] {
  const parts = queries ? 2 : 3;
  const at = (i: number, row: number, head: number, part: number, k: number): number =>
    packed[(((i * t + row) * h + head) * parts + part) * d + k]!;
  const query = (i: number, row: number, head: number, k: number): number =>
    queries ? queries.data[(i * queries.rows + row) * h * d + head * d + k]! : at(i, row, head, 0, k);
  const result: number[] = [];
  for (let i = 0; i < n; i++)
    for (let row = 0; row < (queries?.rows ?? t); row++)
      for (let head = 0; head < h; head++) {
        const scores = Array.from({ length: t }, (_, other) => {
          let sum = 0;
          for (let k = 0; k < d; k++) sum += query(i, row, head, k) * at(i, other, head, parts - 2, k);
          return Math.exp(sum / Math.sqrt(d));
        });
        const total = scores.reduce((p, q) => p + q, 0);
        for (let k = 0; k < d; k++)
          result.push(
            scores.reduce((sum, score, other) => sum + (score / total) * at(i, other, head, parts - 1, k), 0),
          );
      }
  return result;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** An image [N, H, W, C] with groups of its channels standardised, scaled and shifted by channel; SiLU of that. */
export function groupNorm(
  [x, gamma, beta]: readonly Float64Array[],
  [n, pixels, channels]: readonly [number, number, number],
  { groups, epsilon, silu }: { readonly groups: number; readonly epsilon: number; readonly silu: boolean },
): readonly number[] {
  const size = channels / groups;
  const result: number[] = [];
  for (let i = 0; i < n; i++)
    for (let p = 0; p < pixels; p++)
      for (let c = 0; c < channels; c++) {
        const members: number[] = [];
        for (let q = 0; q < pixels; q++)
          for (let k = 0; k < size; k++)
            members.push(x![(i * pixels + q) * channels + Math.floor(c / size) * size + k]!);
        const mean = members.reduce((a, b) => a + b, 0) / members.length;
        const variance = members.reduce((a, b) => a + (b - mean) ** 2, 0) / members.length;
        const y =
          ((x![(i * pixels + p) * channels + c]! - mean) / Math.sqrt(variance + epsilon)) * gamma![c]! + beta![c]!;
        result.push(silu ? y * sigmoid(y) : y);
      }
  return result;
}

/** The softmax of rows of so many. */
export function softmaxRows(x: readonly number[], width: number): readonly number[] {
  return x.map((value, i) => {
    const row = x.slice(i - (i % width), i - (i % width) + width);
    return Math.exp(value) / row.reduce((sum, other) => sum + Math.exp(other), 0);
  });
}

/** A valid convolution with stride 1 of an image [1, H, W, C] by a weight [O, C, h, w], channels last throughout. */
export function convolutionOfLast(
  x: Float64Array,
  weight: Float64Array,
  [height, width, channels]: readonly [number, number, number],
  [out, h, w]: readonly [number, number, number],
): readonly number[] {
  const result: number[] = [];
  for (let row = 0; row + h <= height; row++)
    for (let column = 0; column + w <= width; column++)
      for (let o = 0; o < out; o++) {
        let sum = 0;
        for (let c = 0; c < channels; c++)
          for (let i = 0; i < h; i++)
            for (let j = 0; j < w; j++)
              sum +=
                x[((row + i) * width + column + j) * channels + c]! * weight[((o * channels + c) * h + i) * w + j]!;
        result.push(sum);
      }
  return result;
}
