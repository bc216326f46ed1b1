/**
 * Moves `point` to the nearest image (Euclidean) with |point - clean|_1 <= epsilon and pixels in [0, 1] (Croce and Hein
 * 2021, "Mind the box!", section 3): every move shrinks by the same amount, down to 0 at most, then stops at its
 * pixel's edge. Exact but for rounding each pixel to float32.
 */
export function projectL1(point: Float32Array, clean: Float32Array, epsilon: number): void {
  const shrink = commonShrink(movesOf(point, clean), epsilon);
  for (let i = 0; i < point.length; i++) {
    const x = clean[i]!;
    const move = point[i]! - x;
    const rest = Math.max(Math.abs(move) - shrink, 0);
    point[i] = Math.min(Math.max(x + Math.sign(move) * rest, 0), 1);
  }
}

/** The sizes of all moves but 0; each is cut short at the edge until it has shrunk by `excess`, 0 where it stays inside. */
interface Moves {
  readonly size: Float64Array;
  readonly excess: Float64Array;
}

function movesOf(point: Float32Array, clean: Float32Array): Moves {
  const size = new Float64Array(point.length);
  const excess = new Float64Array(point.length);
  let count = 0;
  for (let i = 0; i < point.length; i++) {
    const x = clean[i]!;
    const move = point[i]! - x;
    if (move === 0) continue;
    size[count] = Math.abs(move);
    excess[count++] = Math.max(Math.abs(move) - (move > 0 ? 1 - x : x), 0);
  }
  return { size: size.subarray(0, count), excess: excess.subarray(0, count) };
}

/**
 * The least amount to shrink by that leaves a sum of at most epsilon. What a move leaves is piecewise linear in the amount
 * with two corners, `excess` and `size`: bisection until no corner is between the bounds, then a linear equation. A move
 * without a corner between them is settled and drops out, so that the rounds soon cost little. Overwrites `moves`.
 */
function commonShrink({ size, excess }: Moves, epsilon: number): number {
  let [low, high] = [0, largest(size)];
  let count = size.length;
  if (left({ size, excess }, count, 0) <= epsilon) return 0;
  // The moves settled leave offset - slope * amount.
  let [offset, slope] = [0, 0];
  for (;;) {
    let open = 0;
    for (let i = 0; i < count; i++) {
      const [from, to] = [excess[i]!, size[i]!];
      if (to <= low) continue;
      if (from >= high) offset += to - from;
      else if (from <= low && to >= high) {
        offset += to;
        slope++;
      } else {
        excess[open] = from;
        size[open++] = to;
      }
    }
    count = open;
    if (count === 0) return slope === 0 ? high : Math.min((offset - epsilon) / slope, high);
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return high;
    if (offset - slope * middle + left({ size, excess }, count, middle) > epsilon) low = middle;
    else high = middle;
  }
}

function largest(values: Float64Array): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) max = Math.max(max, values[i]!);
  return max;
}

/** Sum of what the first `count` moves leave. */
function left({ size, excess }: Moves, count: number, shrink: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.max(size[i]! - Math.max(shrink, excess[i]!), 0);
  return sum;
}
