/**
 * Moves `point` to the nearest image (Euclidean) with |point - clean|_1 <= epsilon and pixels in [0, 1] (Croce and Hein
 * 2021, "Mind the box", section 3).
 */
export function projectL1(point: Float32Array, clean: Float32Array, epsilon: number): void {
  throw new Error(`not yet: ${point.length} ${clean.length} ${epsilon}`);
}
