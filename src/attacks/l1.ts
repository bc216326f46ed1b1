/**
 * Moves `point` to the nearest image (Euclidean) with |point - clean|_1 <= epsilon and pixels in [0, 1] (Croce and Hein
 * 2021, "Mind the box!", section 3): every move shrinks by the same amount, down to 0 at most and within its pixel's room.
 */
export function projectL1(point: Float32Array, clean: Float32Array, epsilon: number): void {
  const shrink = commonShrink(point, clean, epsilon);
  for (let i = 0; i < point.length; i++) {
    const move = point[i]! - clean[i]!;
    point[i] = clean[i]! + Math.sign(move) * kept(move, clean[i]!, shrink);
  }
}

/** What is left of a pixel's move. */
function kept(move: number, clean: number, shrink: number): number {
  const room = move > 0 ? 1 - clean : clean;
  return Math.min(Math.max(Math.abs(move) - shrink, 0), room);
}

/** The least amount that brings the moves' sum to epsilon, by Newton's method between bounds that close in. */
function commonShrink(point: Float32Array, clean: Float32Array, epsilon: number): number {
  let [low, high] = [0, 0];
  for (let i = 0; i < point.length; i++) high = Math.max(high, Math.abs(point[i]! - clean[i]!));
  let shrink = 0;
  // Each round closes in by half at least: 60 exhaust float64.
  for (let round = 0; round < 60; round++) {
    let [sum, falling] = [0, 0];
    for (let i = 0; i < point.length; i++) {
      const move = point[i]! - clean[i]!;
      const rest = kept(move, clean[i]!, shrink);
      sum += rest;
      if (rest > 0 && rest === Math.abs(move) - shrink) falling++;
    }
    if (sum <= epsilon) high = shrink;
    else low = shrink;
    if (high === 0 || (sum <= epsilon && sum >= epsilon * (1 - 1e-9))) break;
    const next = shrink + (sum - epsilon) / falling;
    shrink = next > low && next < high ? next : (low + high) / 2;
  }
  return high;
}
