import { apgdL1Search, startsInL1 } from "./apgd-l1.ts";
import { apgdSearch } from "./apgd-search.ts";
import { type AttackDescriptor, attackOf } from "./descriptor.ts";
import { choice, count } from "./settings.ts";
import { type EmbeddingLoss, type LossOption, leastClasses } from "./target.ts";
import type { ThreatModel } from "./threat.ts";

export type UntargetedLoss = "ce" | "dlr" | EmbeddingLoss;
type ApgdLoss = UntargetedLoss | "targeted-dlr";

export interface Settings extends ThreatModel {
  readonly steps: number;
  /** Independent runs an image (and a target); the worst counts. */
  readonly restarts: number;
  /** Evaluations of a point that are averaged (expectation over transformation); more than 1 for randomised encoders. */
  readonly eot: number;
}

export interface Untargeted<L extends UntargetedLoss> {
  readonly loss: L;
}

interface Targeted {
  readonly loss: "targeted-dlr";
  /** Classes aimed at one after the other, the likeliest first. */
  readonly targets: number;
}

type Aiming<L extends ApgdLoss> = L extends UntargetedLoss ? Untargeted<L> : Targeted;

/** Auto-PGD (Croce and Hein 2020; for l1 Croce and Hein 2021): no step size to choose. */
export type Apgd<L extends ApgdLoss = ApgdLoss> = { readonly kind: "apgd" } & Settings & Aiming<L>;

interface TargetedOptions extends Partial<Omit<Settings, "epsilon">> {
  readonly epsilon: number;
  readonly loss: "targeted-dlr";
  readonly targets?: number;
}

export type UntargetedOptions<L extends UntargetedLoss> = Partial<Settings> &
  Pick<Settings, "epsilon"> &
  LossOption<L> & { readonly targets?: never };

/** Only the targeted loss has `targets`. */
export type ApgdOptions = TargetedOptions | UntargetedOptions<UntargetedLoss>;

const search = ["norm", "steps", "restarts", "eot"] as const;

export const apgdAttack = {
  kind: "apgd",
  title: "APGD",
  variants: {
    apgd: { takes: ["loss", ...search] },
    "apgd-ce": { takes: search },
    "apgd-dlr": { fixed: { loss: "dlr" }, takes: search },
    "apgd-t": { fixed: { loss: "targeted-dlr" }, takes: ["targets", ...search] },
  },
  settings: {
    norm: choice(["linf", "l2", "l1"], "the perturbation's norm"),
    loss: choice(
      ["ce", "dlr", "embedding-l2", "embedding-cosine", "targeted-dlr"],
      "the loss, or the distance to the clean embedding",
      ["targeted-dlr"],
    ),
    steps: count(100, "steps a run"),
    restarts: count(1, "runs an image, the worst counts"),
    targets: {
      ...count(9, "classes aimed at, the likeliest first; all others where there are fewer"),
      only: { where: ({ loss }) => loss === "targeted-dlr", words: "the loss targeted-dlr" },
    },
    eot: count(1, "evaluations of a point that are averaged, for random encoders"),
  },
  gradient: true,
  name: ({ loss }) => (loss === "targeted-dlr" ? "apgd-t" : `apgd-${loss}`),
  loss: ({ loss }) => loss,
  classes: ({ loss }) => leastClasses(loss),
  targets: (attack) => (attack.loss === "targeted-dlr" ? attack.targets : 0),
  points: ({ norm, steps }) => steps + (norm === "l1" ? startsInL1 : 1),
  norm: ({ norm }) => norm,
  describe: ({ steps, loss, eot }, targets) => [
    `${steps} steps`,
    ...(loss === "targeted-dlr" ? [targets] : []),
    ...(eot > 1 ? [`mean of ${eot} evaluations`] : []),
  ],
  search: ({ norm, epsilon, steps, loss }, origin, { others, rank }) => {
    const target = loss === "targeted-dlr" ? others[rank] : undefined;
    return norm === "l1"
      ? apgdL1Search({ epsilon, steps }, origin, target)
      : apgdSearch({ norm, epsilon, steps }, origin, target);
  },
} as const satisfies AttackDescriptor<Apgd>;

/**
 * Auto-PGD's settings with their defaults: l-inf, cross-entropy, 100 steps, one run, and 9 targets for the targeted loss.
 *
 * @throws UsageError when epsilon is outside [0, 1] (l-inf) or negative, or another setting is out of its range
 */
export function apgd(options: TargetedOptions): Apgd<"targeted-dlr">;
export function apgd<L extends UntargetedLoss = "ce">(options: UntargetedOptions<L>): Apgd<L>;
export function apgd(options: ApgdOptions): Apgd;
export function apgd(options: ApgdOptions): Apgd {
  return attackOf<Apgd>(apgdAttack, options);
}
