import { type AttackDescriptor, attackOf } from "./descriptor.ts";
import { fabSearch } from "./fab-search.ts";
import { choice, count } from "./settings.ts";
import type { DenseNorm, ThreatModel } from "./threat.ts";

interface Settings extends ThreatModel<DenseNorm> {
  readonly steps: number;
  /** Independent runs an image (and a target). */
  readonly restarts: number;
}

type Aiming =
  /** At the likeliest other classes, one after the other. */
  | { readonly targeted: true; readonly targets: number }
  /** At the nearest boundary of any class in every step. */
  | { readonly targeted: false };

/**
 * Fast Adaptive Boundary attack (Croce and Hein 2020b): walks along the linearised decision boundary towards the nearest
 * misclassified image. A success is one within epsilon.
 */
export type Fab = { readonly kind: "fab" } & Settings & Aiming;

/** Only the targeted form has `targets`. */
export type FabOptions = Pick<Settings, "epsilon"> &
  Partial<Settings> &
  ({ readonly targeted?: true; readonly targets?: number } | { readonly targeted: false; readonly targets?: never });

const search = ["norm", "steps", "restarts"] as const;

export const fabAttack = {
  kind: "fab",
  title: "FAB",
  variants: {
    fab: { fixed: { targeted: false }, takes: search },
    "fab-t": { takes: ["targets", ...search] },
  },
  settings: {
    norm: choice(["linf", "l2"], "the perturbation's norm"),
    targeted: choice([true, false], "aim at the likeliest other classes, or at the nearest boundary"),
    steps: count(100, "steps a run"),
    restarts: count(1, "runs an image, the worst counts"),
    targets: {
      ...count(9, "classes aimed at, the likeliest first; all others where there are fewer"),
      only: { where: ({ targeted }) => targeted === true, words: "the targeted form" },
    },
  },
  gradient: true,
  name: ({ targeted }) => (targeted ? "fab-t" : "fab"),
  loss: () => "targeted-margin",
  classes: () => 2,
  targets: (attack) => (attack.targeted ? attack.targets : 0),
  // Every class aimed at, and one of them again after a step back into the ball.
  points: ({ targeted, steps }, classes) => (steps + 1) * (targeted ? 2 : classes),
  norm: ({ norm }) => norm,
  describe: ({ steps, targeted }, targets) => [`${steps} steps`, ...(targeted ? [targets] : [])],
  search: (attack, origin, { others, rank, restart }) =>
    fabSearch(attack, origin, attack.targeted ? [others[rank]!] : others, restart),
} as const satisfies AttackDescriptor<Fab>;

/**
 * FAB's settings with their defaults: l-inf, targeted at 9 classes, 100 steps, one run.
 *
 * @throws UsageError when epsilon is outside [0, 1] (l-inf) or negative, or another setting is out of its range
 */
export function fab(options: FabOptions): Fab {
  return attackOf<Fab>(fabAttack, options);
}
