import { UsageError } from "../errors.ts";
import { checkPositiveCount, checkThreatModel, type DenseNorm, type ThreatModel } from "./threat.ts";

/** The inner maximisation of training: one perturbation an image, found before the optimiser's steps on the batch. */
export type InnerAttack = FixedSteps | AutoSteps;

interface Ascent extends ThreatModel<DenseNorm> {
  readonly steps: number;
  /**
   * At the clean image, uniformly in the ball around it, or at the perturbation that the last epoch found for the image
   * (uniformly in the first epoch).
   */
  readonly start: "zero" | "uniform" | "previous";
}

/** Projected gradient descent (Madry et al. 2018), the last iterate, as FARE and LORE use it. */
export interface FixedSteps extends Ascent {
  readonly schedule: "fixed";
  /** In pixel units. */
  readonly stepSize: number;
  /** Decay of the velocity; 0 for none. */
  readonly momentum: number;
  /** Share of the steps, the first ones, whose gradient is that of the images at about half the size; in [0, 1), never all. */
  readonly lowResolution: number;
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
 * Settings with their defaults: l-inf, 10 steps of epsilon / 4, uniform start, no momentum, at full resolution, in float32.
 *
 * @throws UsageError when a value is out of its range, or the schedule does not have the setting
 */
export function innerAttack(options: InnerAttackOptions): InnerAttack {
  const { epsilon, norm = "linf", steps = 10, start = "uniform", schedule = "fixed" } = options;
  const { stepSize = epsilon / 4, momentum = 0, lowResolution = 0, precision = "float32" } = options;
  checkThreatModel({ norm, epsilon });
  checkPositiveCount("Inner attack", "steps", steps);
  for (const [name, size] of [
    ["the step size", stepSize],
    ["momentum", momentum],
  ] as const) {
    if (!(size >= 0 && size < Infinity))
      throw new UsageError(`Inner attack: ${name} must be a number from 0, got ${size}.`);
  }
  if (!(lowResolution >= 0 && lowResolution < 1)) {
    throw new UsageError(`Inner attack: low resolution is a share of the steps, in [0, 1); got ${lowResolution}.`);
  }
  const ascent = { norm, epsilon, steps, start };
  if (precision === "int8" && lowResolution > 0)
    throw new UsageError("Inner attack: int8 is for steps at full resolution; use one or the other.");
  if (schedule === "fixed") return { ...ascent, schedule, stepSize, momentum, lowResolution, precision };
  if (options.stepSize !== undefined || momentum > 0) {
    throw new UsageError("Inner attack: APGD has its own step size and momentum; leave them out, or use fixed steps.");
  }
  if (lowResolution > 0) {
    throw new UsageError(
      "Inner attack: APGD keeps the point of the largest loss, and losses at two resolutions do not compare; use fixed steps at low resolution.",
    );
  }
  if (precision === "int8") {
    throw new UsageError(
      "Inner attack: APGD keeps the point of the largest loss, which int8 rounds; use fixed steps in int8.",
    );
  }
  return { ...ascent, schedule };
}

/** How many of the steps, the first ones, are at low resolution. */
export function lowResolutionSteps(attack: InnerAttack): number {
  if (attack.schedule === "apgd") return 0;
  return Math.min(Math.round(attack.lowResolution * attack.steps), attack.steps - 1);
}

export function isInt8(attack: InnerAttack): boolean {
  return attack.schedule === "fixed" && attack.precision === "int8";
}
