import { clipped, distance, lengthIn, projectPoint, surfaceStart } from "./ball.ts";
import type { Fab } from "./fab.ts";
import { type Hyperplane, moveOnto } from "./hyperplane.ts";
import type { Answer, Origin, Query, Search } from "./search.ts";
import type { DenseNorm, ThreatModel } from "./threat.ts";

/** Croce and Hein 2020b: the clean image's share in a step at most, overshoot, step back from a success too far away. */
const alphaMax = 0.1;
const eta = 1.05;
const beta = 0.9;

/**
 * FAB's points are not clipped to the ball but happen to lie within it or not: one at distance epsilon exactly must count,
 * although its pixels, rounded to float32, are off by up to 6e-8.
 */
const rounding = 1e-6;

/**
 * Algorithm 1 of Croce and Hein 2020b, ended by the first misclassified image within epsilon. Without one it returns the
 * image of the largest loss within epsilon that it came across.
 *
 * @param classes the classes aimed at: one where targeted, else all but the label
 * @param restart the first run starts at the clean image, later ones at random points halfway to the ball's surface
 */
export function* fabSearch(attack: Fab, origin: Origin, classes: readonly number[], restart: number): Search {
  const { norm, epsilon, steps } = attack;
  const { clean } = origin;
  const ball = { norm, epsilon: epsilon + rounding };
  const point = startOf(attack, origin, restart);
  const best = { point: point.slice(), loss: Number.NEGATIVE_INFINITY, success: false };
  for (let step = 0; ; step++) {
    const { loss, success, boundary } = yield* survey(ball, clean, point, classes);
    if (distance(norm, point, clean) <= ball.epsilon && (success || loss > best.loss)) {
      best.point.set(point);
      Object.assign(best, { loss, success });
    }
    if (best.success || step === steps) return best;
    approach(norm, point, clean, boundary);
  }
}

function startOf({ norm, epsilon }: Fab, { clean, random, start = clean }: Origin, restart: number): Float32Array {
  if (restart > 0) return surfaceStart({ norm, epsilon: epsilon / 2 }, clean, random);
  const point = start.slice();
  projectPoint({ norm, epsilon }, point, clean);
  return point;
}

interface Survey {
  /** The largest margin over the classes. */
  readonly loss: number;
  readonly success: boolean;
  /** The nearest class's boundary, linearised at the point. */
  readonly boundary: Hyperplane;
}

/** Asks for every class at the point; where it is misclassified outside the ball, first steps back to the clean image. */
function* survey(
  { norm, epsilon }: ThreatModel<DenseNorm>,
  clean: Float32Array,
  point: Float32Array,
  classes: readonly number[],
): Generator<Query, Survey, Answer> {
  let loss = Number.NEGATIVE_INFINITY;
  let success = false;
  let nearest: (Hyperplane & { readonly away: number }) | undefined;
  for (const [rank, target] of classes.entries()) {
    let answer = yield { point, target };
    if (rank === 0 && answer.success && distance(norm, point, clean) > epsilon) {
      for (let i = 0; i < point.length; i++) point[i] = clean[i]! + beta * (point[i]! - clean[i]!);
      answer = yield { point, target };
    }
    loss = Math.max(loss, answer.loss);
    success = answer.success;
    const away = boundaryDistance(norm, answer);
    if (!nearest || away < nearest.away) nearest = { away, gap: answer.loss, normal: answer.gradient.slice() };
  }
  return { loss, success, boundary: nearest! };
}

/** |margin| / dual norm of its gradient; infinite where the image does not change the margin. */
function boundaryDistance(norm: DenseNorm, { loss, gradient }: Answer): number {
  const slope = lengthIn(norm === "linf" ? "l1" : "l2", gradient);
  return slope > 0 ? Math.abs(loss) / slope : Number.POSITIVE_INFINITY;
}

/**
 * Steps a little beyond the boundary: a mean of where the shortest ways from the point and from the clean image lead, the
 * latter weighing the less the nearer the point is to the boundary.
 *
 * @param point moves
 * @param boundary as seen from the point
 */
function approach(norm: DenseNorm, point: Float32Array, clean: Float32Array, { normal, gap }: Hyperplane): void {
  let cleanGap = gap;
  for (let i = 0; i < point.length; i++) cleanGap += normal[i]! * (clean[i]! - point[i]!);
  const move = moveOnto(norm, point, { normal, gap });
  const cleanMove = moveOnto(norm, clean, { normal, gap: cleanGap });
  // The least sizes keep the quotient defined where nothing moves.
  const [size, cleanSize] = [Math.max(lengthIn(norm, move), 1e-8), Math.max(lengthIn(norm, cleanMove), 1e-8)];
  const alpha = Math.min(size / (size + cleanSize), alphaMax);
  for (let i = 0; i < point.length; i++) {
    const ahead = (1 - alpha) * (point[i]! + eta * move[i]!) + alpha * (clean[i]! + eta * cleanMove[i]!);
    point[i] = clipped(ahead);
  }
}
