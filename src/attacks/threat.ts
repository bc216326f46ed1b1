import { UsageError } from "../errors.ts";
import type { Operand, Value } from "../graph/index.ts";
import type { RandomStream } from "../random.ts";

export type Norm = "linf" | "l2";

/** What an attacker may do: move every pixel vector by at most epsilon in the norm, and stay within [0, 1]. */
export interface ThreatModel {
  readonly norm: Norm;
  /** In pixel units of [0, 1]: 2/255, not 2. */
  readonly epsilon: number;
}

export function checkThreatModel({ norm, epsilon }: ThreatModel): void {
  if (norm !== "linf" && norm !== "l2") throw new UsageError(`Unknown norm ${String(norm)}: use linf or l2.`);
  if (!(epsilon >= 0) || (norm === "linf" && epsilon > 1)) {
    throw new UsageError(`Epsilon ${epsilon} is outside [0, 1]. It is in pixel units of [0, 1]: write 2/255, not 2.`);
  }
}

/** All axes but the first: the pixels of one image. */
const pixelAxes = [1, 2, 3];

/** Euclidean norm of each image of a [N, C, H, W] value, as [N, 1, 1, 1]. */
export function imageNorm(x: Value): Value {
  return x.graph.reduceL2(x, { axes: pixelAxes, keepDims: true });
}

/** The direction of steepest ascent in the norm: the sign for l-inf, the unit vector for l2 (zero where x is zero). */
export function steepest(norm: Norm, x: Value): Value {
  const { graph: g } = x;
  return norm === "linf" ? g.sign(x) : g.div(x, g.add(imageNorm(x), 1e-12));
}

/** The nearest images within epsilon of the clean ones, then within [0, 1]. Shapes [N, C, H, W]. */
export function project(norm: Norm, x: Value, clean: Value, epsilon: Operand): Value {
  const { graph: g } = x;
  if (norm === "linf") return g.clip(g.min(g.max(x, g.sub(clean, epsilon)), g.add(clean, epsilon)), 0, 1);
  const delta = g.sub(x, clean);
  // Clipping to [0, 1] afterwards only shortens delta: the clean image lies in the box.
  const shrink = g.min(g.div(epsilon, g.add(imageNorm(delta), 1e-12)), 1);
  return g.clip(g.add(clean, g.mul(delta, shrink)), 0, 1);
}

/**
 * Writes a random image of the threat model's ball around `clean` into `out`, both one image's pixels: uniform in the
 * l-inf box, or uniform in the l2 ball; then clipped to [0, 1].
 */
export function randomStart(threat: ThreatModel, clean: Float32Array, random: RandomStream, out: Float32Array): void {
  const { norm, epsilon } = threat;
  if (norm === "linf") {
    for (let i = 0; i < out.length; i++) out[i] = clipped(clean[i]! + random.uniform(-epsilon, epsilon));
    return;
  }
  let squared = 0;
  for (let i = 0; i < out.length; i++) {
    const z = random.normal();
    out[i] = z;
    squared += z * z;
  }
  const radius = (epsilon * random.uniform() ** (1 / out.length)) / Math.sqrt(squared);
  for (let i = 0; i < out.length; i++) out[i] = clipped(clean[i]! + radius * out[i]!);
}

function clipped(pixel: number): number {
  return Math.min(Math.max(pixel, 0), 1);
}
