import type { Origin, Search } from "./search.ts";
import { checkPositiveCount, checkThreatModel, type DenseNorm, type ThreatModel } from "./threat.ts";

/**
 * Fast Adaptive Boundary attack (Croce and Hein 2020b): walks along the linearised decision boundary towards the nearest
 * misclassified image. A success is one within epsilon.
 */
export interface Fab extends ThreatModel<DenseNorm> {
  readonly kind: "fab";
  /** Aim at the likeliest other classes one after the other; else at the nearest boundary of any class in every step. */
  readonly targeted: boolean;
  readonly steps: number;
  /** Independent runs an image (and a target). */
  readonly restarts: number;
  /** Classes aimed at; only where targeted. */
  readonly targets: number;
}

export type FabOptions = Partial<Omit<Fab, "kind" | "epsilon">> & Pick<Fab, "epsilon">;

/**
 * FAB's settings with their defaults: l-inf, targeted at 9 classes, 100 steps, one run.
 *
 * @throws UsageError when epsilon is outside [0, 1] (l-inf) or negative, or a count is not positive
 */
export function fab(options: FabOptions): Fab {
  const attack: Fab = { kind: "fab", norm: "linf", targeted: true, steps: 100, restarts: 1, targets: 9, ...options };
  checkThreatModel(attack);
  for (const name of ["steps", "restarts", "targets"] as const) checkPositiveCount("FAB", name, attack[name]);
  return attack;
}

/**
 * @param classes the classes aimed at: one where targeted, else all but the label
 * @param restart the first run starts at the clean image, later ones at random points
 */
export function* fabSearch(attack: Fab, { clean }: Origin, classes: readonly number[], restart: number): Search {
  yield { point: clean };
  throw new Error(`not yet: ${attack.kind} ${classes} ${restart}`);
}
