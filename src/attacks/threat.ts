import { UsageError } from "../errors.ts";
import type { Operand, Value } from "../graph/index.ts";

export type Norm = "linf" | "l2" | "l1";
/** Norms whose steepest step moves every pixel; that of l1 moves a few, and needs an attack made for it. */
export type DenseNorm = Exclude<Norm, "l1">;

/** The attacker may move an image by at most epsilon in the norm, within [0, 1]. */
export interface ThreatModel<N extends Norm = Norm> {
  readonly norm: N;
  /** In pixel units of [0, 1]: for l-inf 2/255, not 2; l2 and l1 distances of an image may exceed 1. */
  readonly epsilon: number;
}

const norms: readonly Norm[] = ["linf", "l2", "l1"];

export function checkThreatModel({ norm, epsilon }: ThreatModel): void {
  if (!norms.includes(norm)) throw new UsageError(`Unknown norm ${String(norm)}: use linf, l2 or l1.`);
  if (norm === "linf" && !(epsilon >= 0 && epsilon <= 1)) {
    throw new UsageError(`Epsilon ${epsilon} is outside [0, 1]. It is in pixel units of [0, 1]: write 2/255, not 2.`);
  }
  if (!(epsilon >= 0 && epsilon < Infinity)) throw new UsageError(`Epsilon ${epsilon} must be a number from 0.`);
}

/** All axes but the first: the pixels of one image. */
const pixelAxes = [1, 2, 3];

/** Euclidean norm of each image of a [N, C, H, W] value, as [N, 1, 1, 1]. */
function imageNorm(x: Value): Value {
  return x.graph.reduceL2(x, { axes: pixelAxes, keepDims: true });
}

/** The direction of steepest ascent in the norm: the sign for l-inf, the unit vector for l2 (zero where x is zero). */
export function steepest(norm: DenseNorm, x: Value): Value {
  const { graph: g } = x;
  return norm === "linf" ? g.sign(x) : g.div(x, g.add(imageNorm(x), 1e-12));
}

/** The nearest images within epsilon of the clean ones, then within [0, 1]. Shapes [N, C, H, W]. */
export function project(norm: DenseNorm, x: Value, clean: Value, epsilon: Operand): Value {
  const { graph: g } = x;
  if (norm === "linf") return g.clip(g.min(g.max(x, g.sub(clean, epsilon)), g.add(clean, epsilon)), 0, 1);
  const delta = g.sub(x, clean);
  // Clipping to [0, 1] afterwards only shortens delta: the clean image lies in the box.
  const shrink = g.min(g.div(epsilon, g.add(imageNorm(delta), 1e-12)), 1);
  return g.clip(g.add(clean, g.mul(delta, shrink)), 0, 1);
}
