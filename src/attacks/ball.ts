import type { RandomStream } from "../random.ts";
import { projectL1 } from "./l1.ts";
import type { DenseNorm, Norm, ThreatModel } from "./threat.ts";

/*
 * The threat model's geometry on the pixels of one image, for searches. `threat.ts` has the same as graph nodes, for
 * training.
 */

/** |a - b| in the norm. */
export function distance(norm: Norm, a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total = added(norm, total, a[i]! - b[i]!);
  return norm === "l2" ? Math.sqrt(total) : total;
}

/** |x| in the norm. */
export function lengthIn(norm: Norm, x: Float32Array): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total = added(norm, total, x[i]!);
  return norm === "l2" ? Math.sqrt(total) : total;
}

function added(norm: Norm, total: number, x: number): number {
  switch (norm) {
    case "linf":
      return Math.max(total, Math.abs(x));
    case "l2":
      return total + x * x;
    case "l1":
      return total + Math.abs(x);
  }
}

/**
 * Moves `point` to the nearest image within epsilon of the clean one (for l2 to the nearest in the ball, then into
 * [0, 1]).
 */
export function projectPoint({ norm, epsilon }: ThreatModel, point: Float32Array, clean: Float32Array): void {
  if (norm === "l1") {
    projectL1(point, clean, epsilon);
    return;
  }
  if (norm === "linf") {
    for (let i = 0; i < point.length; i++) {
      const x = clean[i]!;
      point[i] = Math.min(Math.max(point[i]!, x - epsilon, 0), x + epsilon, 1);
    }
    return;
  }
  const shrink = Math.min(1, epsilon / (distance("l2", point, clean) + 1e-12));
  for (let i = 0; i < point.length; i++) {
    const x = clean[i]!;
    point[i] = clipped(x + shrink * (point[i]! - x));
  }
}

/** point + size d, with d the direction of steepest ascent: the sign for l-inf, the unit vector for l2. */
export function ascend(
  norm: DenseNorm,
  point: Float32Array,
  gradient: Float32Array,
  size: number,
  out: Float32Array,
): void {
  if (norm === "linf") {
    for (let i = 0; i < out.length; i++) out[i] = point[i]! + size * Math.sign(gradient[i]!);
    return;
  }
  const scale = size / (lengthIn("l2", gradient) + 1e-12);
  for (let i = 0; i < out.length; i++) out[i] = point[i]! + scale * gradient[i]!;
}

/**
 * A random image of the threat model's ball: uniform in the l-inf box, uniform in the l2 ball, or a random direction
 * projected for l1; then clipped to [0, 1].
 */
export function randomStart(threat: ThreatModel, clean: Float32Array, random: RandomStream, out: Float32Array): void {
  const { norm, epsilon } = threat;
  if (norm === "linf") {
    for (let i = 0; i < out.length; i++) out[i] = clipped(clean[i]! + random.uniform(-epsilon, epsilon));
    return;
  }
  for (let i = 0; i < out.length; i++) out[i] = random.normal();
  if (norm === "l1") {
    for (let i = 0; i < out.length; i++) out[i] = clean[i]! + out[i]!;
    projectL1(out, clean, epsilon);
    return;
  }
  const radius = (epsilon * random.uniform() ** (1 / out.length)) / lengthIn("l2", out);
  for (let i = 0; i < out.length; i++) out[i] = clipped(clean[i]! + radius * out[i]!);
}

/**
 * A random image on the ball's surface, as AutoPGD starts (Croce and Hein 2020): noise scaled to norm epsilon, uniform
 * for l-inf and normal for l2; then clipped to [0, 1].
 */
export function surfaceStart(
  { norm, epsilon }: ThreatModel<DenseNorm>,
  clean: Float32Array,
  random: RandomStream,
): Float32Array {
  const out = new Float32Array(clean.length);
  let largest = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = norm === "linf" ? random.uniform(-1, 1) : random.normal();
    largest = Math.max(largest, Math.abs(out[i]!));
  }
  const scale = epsilon / (norm === "linf" ? largest : lengthIn("l2", out));
  for (let i = 0; i < out.length; i++) out[i] = clipped(clean[i]! + scale * out[i]!);
  return out;
}

/** Into [0, 1]. */
export function clipped(pixel: number): number {
  return Math.min(Math.max(pixel, 0), 1);
}
