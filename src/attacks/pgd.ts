import { formatEpsilon } from "../epsilon.ts";
import { UsageError } from "../errors.ts";
import { ascend, projectPoint, randomStart } from "./ball.ts";
import { type AttackDescriptor, attackOf } from "./descriptor.ts";
import type { Found, Origin, Search } from "./search.ts";
import { choice, count, decay, size } from "./settings.ts";
import { type EmbeddingLoss, type LossOption, leastClasses } from "./target.ts";
import type { DenseNorm, ThreatModel } from "./threat.ts";

type PgdLoss = "ce" | "dlr" | EmbeddingLoss;

interface Settings<L extends PgdLoss> extends ThreatModel<DenseNorm> {
  readonly loss: L;
  readonly steps: number;
  /** In pixel units. */
  readonly stepSize: number;
  /** Decay of the velocity; 0 for none. */
  readonly momentum: number;
}

/** The start of each run. Runs from the clean image would all be the same, so there is one. */
type Start =
  /** Uniformly drawn from the ball around the clean image. */
  | { readonly start: "uniform"; readonly restarts: number }
  /** The clean image. */
  | { readonly start: "zero"; readonly restarts: 1 };

/** Projected gradient descent (Madry et al. 2018), as ascent on the loss. */
export type Pgd<L extends PgdLoss = PgdLoss> = { readonly kind: "pgd" } & Settings<L> & Start;

export type PgdOptions<L extends PgdLoss = PgdLoss> = Pick<Settings<L>, "epsilon"> &
  Partial<Omit<Settings<L>, "loss">> &
  LossOption<L> &
  (Partial<Extract<Start, { start: "uniform" }>> | { readonly start: "zero"; readonly restarts?: 1 });

export const pgdAttack = {
  kind: "pgd",
  title: "PGD",
  variants: { pgd: { takes: ["loss", "norm", "steps", "stepSize", "momentum", "restarts"] } },
  settings: {
    loss: choice(["ce", "dlr", "embedding-l2", "embedding-cosine"], "the loss, or the distance to the clean embedding"),
    norm: choice(["linf", "l2"], "the perturbation's norm"),
    steps: count(20, "steps a run"),
    stepSize: size((epsilon) => epsilon / 4, "epsilon / 4", "step size"),
    start: choice(["uniform", "zero"], "start of a run: drawn from the ball, or the clean image"),
    momentum: decay(0, "decay of the velocity"),
    restarts: count(1, "runs an image, the worst counts"),
  },
  gradient: true,
  name: ({ loss }) => (loss === "ce" ? "pgd" : `pgd-${loss}`),
  loss: ({ loss }) => loss,
  classes: ({ loss }) => leastClasses(loss),
  targets: () => 0,
  points: ({ steps }) => steps + 1,
  norm: ({ norm }) => norm,
  describe: ({ steps, stepSize, epsilon, momentum }) => [
    `${steps} steps of ${stepSize === epsilon / 4 ? "epsilon / 4" : formatEpsilon(stepSize)}`,
    ...(momentum > 0 ? [`momentum ${momentum}`] : []),
  ],
  search: pgdSearch,
  check({ start, restarts }) {
    if (restarts > 1 && start === "zero")
      throw new UsageError("PGD: restarts from the clean image would all be the same; use a uniform start.");
  },
} as const satisfies AttackDescriptor<Pgd>;

/**
 * PGD's settings with their defaults: cross-entropy, l-inf, 20 steps of epsilon / 4, uniform start, no momentum, one run.
 *
 * @throws UsageError when epsilon is outside [0, 1] (l-inf) or negative, or another setting is out of its range
 */
export function pgd<L extends PgdLoss = "ce">(options: PgdOptions<L>): Pgd<L> {
  // The loss is the one given, or the default of L.
  return attackOf<Pgd>(pgdAttack, options) as Pgd<L>;
}

/** v' = decay v + d(gradient), x' = project(x + stepSize d(v')), d the steepest direction of the norm. */
export function* pgdSearch(attack: Pgd, { clean, random, start }: Origin): Search {
  const { norm, steps, stepSize, momentum } = attack;
  const point = Float32Array.from(start ?? clean);
  if (!start && attack.start === "uniform") randomStart(attack, clean, random, point);
  const velocity = new Float32Array(momentum > 0 ? clean.length : 0);
  let best: Found | undefined;
  for (let step = 0; ; step++) {
    const { loss, gradient, success } = yield { point };
    if (success) return { point, loss, success };
    if (!best || loss > best.loss) best = { point: point.slice(), loss, success };
    if (step === steps) return best;
    if (momentum > 0) {
      for (let i = 0; i < velocity.length; i++) velocity[i] = momentum * velocity[i]!;
      ascend(norm, velocity, gradient, 1, velocity);
    }
    ascend(norm, point, momentum > 0 ? velocity : gradient, stepSize, point);
    projectPoint(attack, point, clean);
  }
}
