/**
 * [side, side] of length 1: a bump above its own negative, or beside it (Andriushchenko et al. 2020, figure 4).
 *
 * @param beside turns it by a quarter
 */
export function bumps(side: number, beside: boolean): Float64Array {
  const above = Math.floor(side / 2);
  const both = new Float64Array(side * side);
  both.set(bump(above, side));
  both.set(
    bump(side - above, side).map((x) => -x),
    above * side,
  );
  const scale = 1 / euclidean(both);
  return both.map((_, i) => scale * both[beside ? (i % side) * side + Math.floor(i / side) : i]!);
}

/** Nested squares around the middle, the k-th of height 1 / k^2, added up; length 1. */
function bump(rows: number, columns: number): Float64Array {
  const [middleRow, middleColumn] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  const heights = new Float64Array(Math.max(middleRow, middleColumn) + 1);
  for (let k = heights.length; k > 0; k--) heights[k - 1] = (heights[k] ?? 0) + 1 / k ** 2;
  const values = new Float64Array(rows * columns).map((_, i) => {
    const [down, across] = [Math.floor(i / columns) - middleRow, (i % columns) - middleColumn];
    return heights[Math.max(Math.abs(down), Math.abs(across))]!;
  });
  const scale = 1 / euclidean(values);
  return values.map((x) => scale * x);
}

export function euclidean(values: Float64Array): number {
  let total = 0;
  for (const x of values) total += x * x;
  return Math.sqrt(total);
}
