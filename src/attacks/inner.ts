import { UsageError } from "../errors.ts";
import { checkPositiveCount, checkThreatModel, type DenseNorm, type ThreatModel } from "./threat.ts";

/** The inner maximisation of training: one perturbation an image, found before the optimiser's steps on the batch. */
export type InnerAttack = FixedSteps | AutoSteps;

/**
 * The size of each image's perturbation: epsilon itself, epsilon U, or epsilon sqrt(U), with U uniform in [0, 1) and drawn
 * anew for every image and batch. Step sizes shrink with it.
 */
export type EpsilonDraw = "constant" | "uniform" | "sqrt";

interface Ascent extends ThreatModel<DenseNorm> {
  readonly steps: number;
  /** At the clean image, or uniformly in the ball around it. */
  readonly start: "zero" | "uniform";
  readonly epsilonDraw: EpsilonDraw;
  /** What is maximised: what training minimises, or the squared l2 distance to the original's embedding. */
  readonly loss: "objective" | "squared-l2";
}

/** Projected gradient descent (Madry et al. 2018), the last iterate, as FARE and LORE use it. */
export interface FixedSteps extends Ascent {
  readonly schedule: "fixed";
  /** In pixel units, at epsilon. */
  readonly stepSize: number;
  /** Decay of the velocity; 0 for none. */
  readonly momentum: number;
  /** Of the products by weights; "int8" rounds what goes into them, in the attack only (`withInt8Products`). */
  readonly precision: "float32" | "int8";
}

/** Auto-PGD (Croce and Hein 2020): its own step sizes and momentum, the best iterate; one more look at the last point. */
export interface AutoSteps extends Ascent {
  readonly schedule: "apgd";
}

export type InnerAttackOptions = Partial<Omit<FixedSteps, "schedule" | "epsilon">> &
  Pick<FixedSteps, "epsilon"> & { readonly schedule?: InnerAttack["schedule"] };

/**
 * Settings with their defaults: l-inf, 10 steps of epsilon / 4, uniform start, no momentum, epsilon for every image, the
 * objective's own loss, in float32.
 *
 * @throws UsageError when a value is out of its range, or the schedule does not have the setting
 */
export function innerAttack(options: InnerAttackOptions): InnerAttack {
  const { epsilon, norm = "linf", steps = 10, start = "uniform", schedule = "fixed" } = options;
  const { stepSize = epsilon / 4, momentum = 0, precision = "float32" } = options;
  const { epsilonDraw = "constant", loss = "objective" } = options;
  checkThreatModel({ norm, epsilon });
  checkPositiveCount("Inner attack", "steps", steps);
  for (const [name, size] of [
    ["the step size", stepSize],
    ["momentum", momentum],
  ] as const) {
    if (!(size >= 0 && size < Infinity))
      throw new UsageError(`Inner attack: ${name} must be a number from 0, got ${size}.`);
  }
  const ascent = { norm, epsilon, steps, start, epsilonDraw, loss };
  if (schedule === "fixed") return { ...ascent, schedule, stepSize, momentum, precision };
  if (options.stepSize !== undefined || momentum > 0) {
    throw new UsageError("Inner attack: APGD has its own step size and momentum; leave them out, or use fixed steps.");
  }
  if (precision === "int8") {
    throw new UsageError(
      "Inner attack: APGD keeps the point of the largest loss, which int8 rounds; use fixed steps in int8.",
    );
  }
  return { ...ascent, schedule };
}

export function isInt8(attack: InnerAttack): boolean {
  return attack.schedule === "fixed" && attack.precision === "int8";
}
