import type { Apgd } from "./apgd.ts";
import { randomStart } from "./ball.ts";
import { projectL1 } from "./l1.ts";
import type { Answer, Found, Origin, Query, Search } from "./search.ts";
import type { ThreatModel } from "./threat.ts";

/** Radii in units of epsilon, and the share of the steps spent in each; from the reference implementation. */
const phases = [
  { radius: 3, share: 0.3 },
  { radius: 2, share: 0.3 },
] as const;

/** How often the sparsity of the steps is looked at, and what the step size is divided by where it has settled. */
const checkShare = 0.04;
const stepDivisor = 1.5;
const smallestStep = 0.1;

/**
 * Auto-PGD for l1 (Croce and Hein 2021, "Mind the box!", algorithm 1): steps along the largest entries of the gradient
 * only, fewer as the perturbation becomes sparse. It starts in larger balls; successes count in the last one.
 */
export function* apgdL1Search(attack: Apgd & ThreatModel<"l1">, origin: Origin, target?: number): Search {
  const { epsilon, steps } = attack;
  const { clean } = origin;
  const aim = target === undefined ? {} : { target };
  const point = new Float32Array(origin.start ?? clean);
  if (!origin.start) randomStart({ norm: "l1", epsilon: phases[0].radius * epsilon }, clean, origin.random, point);
  let left = steps;
  for (const { radius, share } of phases) {
    const phaseSteps = Math.min(Math.ceil(share * steps), left);
    left -= phaseSteps;
    const { point: best } = yield* sparseAscent(point, clean, { epsilon: radius * epsilon, steps: phaseSteps, aim });
    point.set(best);
  }
  return yield* sparseAscent(point, clean, { epsilon, steps: left, aim, last: true });
}

interface Phase {
  readonly epsilon: number;
  readonly steps: number;
  readonly aim: Pick<Query, "target">;
  /** Ends at a success. */
  readonly last?: boolean;
}

function* sparseAscent(
  start: Float32Array,
  clean: Float32Array,
  { epsilon, steps, aim, last }: Phase,
): Generator<Query, Found, Answer> {
  const point = start.slice();
  projectL1(point, clean, epsilon);
  let { loss, gradient, success } = yield { point, ...aim };
  if (last && success) return { point, loss, success };
  const best = { point: point.slice(), gradient: gradient.slice(), loss };
  const period = Math.max(Math.trunc(checkShare * steps), 1);
  let moved = movedPixels(point, clean);
  let entries = moved / stepDivisor;
  let stepSize = epsilon;
  for (let step = 0; step < steps; step++) {
    stepAlongLargest(point, gradient, Math.max(Math.floor(entries), 1), stepSize);
    projectL1(point, clean, epsilon);
    ({ loss, gradient, success } = yield { point, ...aim });
    if (last && success) return { point: point.slice(), loss, success };
    if (loss > best.loss) {
      best.point.set(point);
      best.gradient.set(gradient);
      best.loss = loss;
    }
    if ((step + 1) % period !== 0) continue;
    const now = movedPixels(best.point, clean);
    const sparser = now < 0.95 * moved;
    stepSize = sparser ? epsilon : Math.max(stepSize / stepDivisor, smallestStep * epsilon);
    entries = now / stepDivisor;
    moved = now;
    if (sparser) {
      point.set(best.point);
      gradient = best.gradient;
    }
  }
  return { point: best.point, loss: best.loss, success: false };
}

function movedPixels(point: Float32Array, clean: Float32Array): number {
  let count = 0;
  for (let i = 0; i < point.length; i++) if (point[i] !== clean[i]) count++;
  return count;
}

/** Moves the entries of the largest gradients by equal amounts that add up to `size`, each along its sign. */
function stepAlongLargest(point: Float32Array, gradient: Float32Array, entries: number, size: number): void {
  const threshold = largestThreshold(gradient, entries);
  let chosen = 0;
  for (let i = 0; i < gradient.length; i++) if (gradient[i] !== 0 && Math.abs(gradient[i]!) >= threshold) chosen++;
  if (chosen === 0) return;
  for (let i = 0; i < gradient.length; i++) {
    const slope = gradient[i]!;
    if (Math.abs(slope) >= threshold) point[i] = point[i]! + (size / chosen) * Math.sign(slope);
  }
}

/**
 * The absolute value that `count` entries reach: a search in the bits of float32, whose order is that of the numbers, in
 * two passes instead of a sort.
 */
function largestThreshold(values: Float32Array, count: number): number {
  const magnitudes = values.map(Math.abs);
  const bits = new Uint32Array(magnitudes.buffer);
  const high = nthBucket(bits, (word) => word >>> 16, count);
  const inHigh = bits.filter((word) => word >>> 16 === high.bucket);
  const low = nthBucket(inHigh, (word) => word & 0xffff, high.left);
  return new Float32Array(Uint32Array.of(((high.bucket << 16) | low.bucket) >>> 0).buffer)[0]!;
}

/** The bucket that holds the count-th largest word, and its place within the bucket. */
function nthBucket(
  words: Uint32Array,
  bucketOf: (word: number) => number,
  count: number,
): { readonly bucket: number; readonly left: number } {
  const sizes = new Uint32Array(1 << 16);
  for (const word of words) sizes[bucketOf(word)]!++;
  let left = Math.min(count, words.length);
  let bucket = sizes.length - 1;
  while (bucket > 0 && sizes[bucket]! < left) left -= sizes[bucket--]!;
  return { bucket, left };
}
