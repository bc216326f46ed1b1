/** What ONNX Runtime has no kernel for on CPU, in loops straight from the operators' definitions. */

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
