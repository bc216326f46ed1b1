import type { Apgd } from "./apgd.ts";
import { randomStart } from "./ball.ts";
import { projectL1 } from "./l1.ts";
import type { Answer, Found, Origin, Query, Search } from "./search.ts";

/** Radii of the larger balls in units of epsilon, and the share of the steps spent in each; from the reference implementation. */
const largerBalls = [
  { radius: 3, share: 0.3 },
  { radius: 2, share: 0.3 },
] as const;

/** Points of a run besides one a step: each ball evaluates the point that it starts from. */
export const startsInL1 = largerBalls.length + 1;

/** How often, as a share of the steps in a ball, the step's sparsity and size are adapted. */
const checkShare = 0.04;
/** Divides both the step size and the count of moved pixels that gives the next steps' sparsity. */
const divisor = 1.5;
/** Below this share of its former count of moved pixels the best point has become sparser. */
const sparserShare = 0.95;
/** In units of epsilon. */
const smallestStep = 0.1;

/**
 * Auto-PGD for l1 (Croce and Hein 2021, "Mind the box!", algorithm 1): steps along the gradient's largest entries only,
 * fewer as the perturbation becomes sparse. It searches larger balls first, each from the last one's best point; only a
 * success in the ball of radius epsilon counts.
 */
export function* apgdL1Search(attack: Pick<Apgd, "epsilon" | "steps">, origin: Origin, target?: number): Search {
  const { epsilon, steps } = attack;
  const { clean } = origin;
  const aim = target === undefined ? {} : { target };
  let start: Float32Array = Float32Array.from(origin.start ?? clean);
  if (!origin.start) randomStart({ norm: "l1", epsilon: largerBalls[0].radius * epsilon }, clean, origin.random, start);
  let left = steps;
  for (const { radius, share } of largerBalls) {
    const inBall = Math.min(Math.ceil(share * steps), left);
    left -= inBall;
    const ball = { clean, epsilon: radius * epsilon, steps: inBall, aim, successCounts: false };
    start = (yield* sparseAscent(ball, start)).point;
  }
  return yield* sparseAscent({ clean, epsilon, steps: left, aim, successCounts: true }, start);
}

interface Ball {
  readonly clean: Float32Array;
  readonly epsilon: number;
  readonly steps: number;
  readonly aim: Pick<Query, "target">;
  /** Whether a success ends the search. */
  readonly successCounts: boolean;
}

/** One ball's steps. Moves `point`, into the ball first. */
function* sparseAscent(ball: Ball, point: Float32Array): Generator<Query, Found, Answer> {
  const { clean, epsilon, steps, aim, successCounts } = ball;
  projectL1(point, clean, epsilon);
  let { loss, gradient, success } = yield { point, ...aim };
  if (success && successCounts) return { point, loss, success };
  const best = { point: point.slice(), gradient: gradient.slice(), loss };
  const period = Math.max(Math.trunc(checkShare * steps), 1);
  let moved = movedPixels(point, clean);
  let entries = moved / divisor;
  let stepSize = epsilon;
  for (let step = 1; step <= steps; step++) {
    stepAlongLargest(point, gradient, entries, stepSize);
    projectL1(point, clean, epsilon);
    ({ loss, gradient, success } = yield { point, ...aim });
    if (success && successCounts) return { point, loss, success };
    if (loss > best.loss) {
      best.point.set(point);
      best.gradient.set(gradient);
      best.loss = loss;
    }
    if (step % period !== 0) continue;
    const before = moved;
    moved = movedPixels(best.point, clean);
    entries = moved / divisor;
    if (moved < sparserShare * before) {
      stepSize = epsilon;
      point.set(best.point);
      gradient = best.gradient;
    } else stepSize = Math.max(stepSize / divisor, smallestStep * epsilon);
  }
  return { point: best.point, loss: best.loss, success: false };
}

function movedPixels(point: Float32Array, clean: Float32Array): number {
  let count = 0;
  for (let i = 0; i < point.length; i++) if (point[i] !== clean[i]) count++;
  return count;
}

/**
 * Moves the pixels of the `entries` largest gradients (rounded up, one at least, all that tie) by equal amounts that add
 * up to `size`, each along its gradient's sign.
 */
function stepAlongLargest(point: Float32Array, gradient: Float32Array, entries: number, size: number): void {
  const threshold = nthLargestMagnitude(gradient, Math.max(Math.ceil(entries), 1));
  let chosen = 0;
  for (let i = 0; i < gradient.length; i++) if (gradient[i] !== 0 && Math.abs(gradient[i]!) >= threshold) chosen++;
  if (chosen === 0) return;
  for (let i = 0; i < gradient.length; i++) {
    const slope = gradient[i]!;
    if (Math.abs(slope) >= threshold) point[i] = point[i]! + (size / chosen) * Math.sign(slope);
  }
}

/**
 * The n-th largest absolute value, the smallest where there are fewer: counts of the upper, then of the lower halves of
 * the bits, whose order is that of the floats. Two passes are cheaper than a sort.
 */
function nthLargestMagnitude(values: Float32Array, n: number): number {
  const words = new Uint32Array(values.map(Math.abs).buffer);
  const upper = nthLargestHalf(words, 16, n);
  const lower = nthLargestHalf(
    words.filter((word) => word >>> 16 === upper.half),
    0,
    upper.rank,
  );
  return new Float32Array(Uint32Array.of((upper.half << 16) | lower.half).buffer)[0]!;
}

/** 16 bits of the n-th largest word by these bits alone, and its rank among those that share them. */
function nthLargestHalf(
  words: Uint32Array,
  shift: 0 | 16,
  n: number,
): { readonly half: number; readonly rank: number } {
  const counts = new Uint32Array(1 << 16);
  for (let i = 0; i < words.length; i++) counts[(words[i]! >>> shift) & 0xffff]!++;
  let rank = Math.min(n, words.length);
  let half = counts.length - 1;
  while (half > 0 && counts[half]! < rank) rank -= counts[half--]!;
  return { half, rank };
}
