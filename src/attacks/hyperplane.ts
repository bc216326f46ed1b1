import type { DenseNorm } from "./threat.ts";

/** The points u with <normal, u> = <normal, x> - gap, as seen from a point x: on it where the gap is 0. */
export interface Hyperplane {
  readonly normal: Float32Array;
  readonly gap: number;
}

/**
 * The shortest move in the norm that takes a point onto a hyperplane without leaving [0, 1] (the projection of Croce and
 * Hein 2020b); where the box does not reach the hyperplane, the move that comes closest. Pixels that the hyperplane does
 * not depend on stay.
 *
 * Pixel j moves by min(s v_j, p_j) in the direction that closes the gap: p_j is its room in the box, v_j = 1 for l-inf
 * and |normal_j| for l2, and s solves sum_j |normal_j| min(s v_j, p_j) = |gap|.
 *
 * @param point in [0, 1]
 * @returns as long as the point
 */
export function moveOnto(norm: DenseNorm, point: Float32Array, hyperplane: Hyperplane): Float32Array {
  const { normal, gap } = hyperplane;
  const move = new Float32Array(point.length);
  const s = solve(norm, point, hyperplane);
  for (let i = 0; i < move.length; i++) {
    const weight = normal[i]!;
    if (weight === 0) continue;
    const length = Math.min(s * speed(norm, weight), room(point[i]!, weight, gap));
    move[i] = Math.sign(gap) === Math.sign(weight) ? -length : length;
  }
  return move;
}

/**
 * s by Newton's method from 0: the sum is concave and piecewise linear in s, so that every iterate stays below the
 * solution, and one that stops no further pixel is the solution. No sorting of the pixels' room is needed.
 *
 * @returns Infinity where all room together does not close the gap
 */
function solve(norm: DenseNorm, point: Float32Array, { normal, gap }: Hyperplane): number {
  let s = 0;
  let moving = Number.POSITIVE_INFINITY;
  for (;;) {
    let left = Math.abs(gap);
    let slope = 0;
    let count = 0;
    for (let i = 0; i < point.length; i++) {
      const weight = normal[i]!;
      if (weight === 0) continue;
      const pace = speed(norm, weight);
      const limit = room(point[i]!, weight, gap);
      if (s * pace >= limit) left -= Math.abs(weight) * limit;
      else {
        slope += Math.abs(weight) * pace;
        count++;
      }
    }
    // Rounding may set a stopped pixel free again, hence >=; and it may leave less than nothing.
    if (count >= moving || left <= 0) return s;
    if (count === 0) return Number.POSITIVE_INFINITY;
    s = left / slope;
    moving = count;
  }
}

function speed(norm: DenseNorm, weight: number): number {
  return norm === "linf" ? 1 : Math.abs(weight);
}

/** How far a pixel can go in the direction that closes the gap. */
function room(pixel: number, weight: number, gap: number): number {
  return gap > 0 === weight > 0 ? pixel : 1 - pixel;
}
