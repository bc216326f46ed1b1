import { UsageError } from "../errors.ts";
import { ascend, projectPoint, randomStart } from "./ball.ts";
import type { Found, Origin, Search } from "./search.ts";
import type { EmbeddingLoss } from "./target.ts";
import { checkPositiveCount, checkThreatModel, type DenseNorm, type ThreatModel } from "./threat.ts";

/** Projected gradient descent (Madry et al. 2018), as ascent on the loss. */
export interface Pgd extends ThreatModel<DenseNorm> {
  readonly kind: "pgd";
  readonly loss: "ce" | "dlr" | EmbeddingLoss;
  readonly steps: number;
  /** In pixel units. */
  readonly stepSize: number;
  /** Where a run starts: at the clean image, or uniformly in the ball around it. */
  readonly start: "zero" | "uniform";
  /** Decay of the velocity; 0 for none. */
  readonly momentum: number;
  /** Independent runs an image; the worst counts. */
  readonly restarts: number;
}

export type PgdOptions = Partial<Omit<Pgd, "kind" | "epsilon">> & Pick<Pgd, "epsilon">;

/**
 * PGD's settings with their defaults: cross-entropy, l-inf, 20 steps of epsilon / 4, uniform start, no momentum, one run.
 *
 * @throws UsageError when epsilon is outside [0, 1] (l-inf) or negative, or a count is not positive
 */
export function pgd(options: PgdOptions): Pgd {
  const attack: Pgd = {
    kind: "pgd",
    loss: "ce",
    norm: "linf",
    steps: 20,
    stepSize: options.epsilon / 4,
    start: "uniform",
    momentum: 0,
    restarts: 1,
    ...options,
  };
  checkThreatModel(attack);
  checkPositiveCount("PGD", "steps", attack.steps);
  checkPositiveCount("PGD", "restarts", attack.restarts);
  for (const [name, size] of [
    ["the step size", attack.stepSize],
    ["momentum", attack.momentum],
  ] as const) {
    if (!(size >= 0 && size < Infinity)) throw new UsageError(`PGD: ${name} must be a number from 0, got ${size}.`);
  }
  if (attack.restarts > 1 && attack.start === "zero") {
    throw new UsageError("PGD: restarts from the clean image would all be the same; use a uniform start.");
  }
  return attack;
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
