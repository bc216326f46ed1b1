import { UsageError } from "../errors.ts";
import { checkFromZero, checkPositiveCount } from "./settings.ts";
import { checkThreatModel, type DenseNorm, type ThreatModel } from "./threat.ts";

/** The inner maximisation of training: one perturbation an image, found before the optimiser's steps on the batch. */
export type InnerAttack = FixedSteps | AutoSteps;

/**
 * The size of each image's perturbation: epsilon itself, epsilon U, or epsilon sqrt(U), with U uniform in [0, 1) and drawn
 * anew for every image and batch. Step sizes shrink with it.
 */
export type EpsilonDraw = "constant" | "uniform" | "sqrt";

interface Ascent extends ThreatModel<DenseNorm> {
  readonly steps: number;
  /** The clean image, or a point drawn uniformly from the ball around it. */
  readonly start: "zero" | "uniform";
  readonly epsilonDraw: EpsilonDraw;
  /** The loss maximised: the one that training minimises, or the squared l2 distance to the original's embedding. */
  readonly loss: "objective" | "squared-l2";
}

/** Projected gradient descent (Madry et al. 2018), the last iterate, as FARE and LORE use it. */
export interface FixedSteps extends Ascent {
  readonly schedule: "fixed";
  /** In pixel units, at epsilon. */
  readonly stepSize: number;
  /** Decay of the velocity; 0 for none. */
  readonly momentum: number;
  /** Precision of products by weights; "int8" rounds their operands, in the attack only (`withInt8Products`). */
  readonly precision: "float32" | "int8";
}

/** Auto-PGD (Croce and Hein 2020): its own step sizes and momentum, the best iterate; the last point costs one more forward pass. */
export interface AutoSteps extends Ascent {
  readonly schedule: "apgd";
}

/** Settings that may be left out; Auto-PGD has no step size, momentum or precision. */
export type InnerAttackSettings =
  | ({ readonly schedule?: "fixed" } & Partial<Omit<FixedSteps, "schedule" | "epsilon">>)
  | ({
      readonly schedule: "apgd";
      readonly stepSize?: never;
      readonly momentum?: never;
      readonly precision?: never;
    } & Partial<Omit<AutoSteps, "schedule" | "epsilon">>);

export type InnerAttackOptions = InnerAttackSettings & Pick<Ascent, "epsilon">;

/**
 * Settings with their defaults: l-inf, 10 steps of epsilon / 4, uniform start, no momentum, epsilon for every image, the
 * objective's own loss, in float32.
 *
 * @throws UsageError when a value is out of its range, or the schedule does not have the setting
 */
export function innerAttack(options: InnerAttackOptions): InnerAttack {
  const {
    epsilon,
    norm = "linf",
    steps = 10,
    start = "uniform",
    epsilonDraw = "constant",
    loss = "objective",
  } = options;
  checkThreatModel({ norm, epsilon });
  checkPositiveCount("Inner attack", "steps", steps);
  const ascent = { norm, epsilon, steps, start, epsilonDraw, loss };
  if (options.schedule === "apgd") {
    const other = (["stepSize", "momentum", "precision"] as const).find((name) => options[name] !== undefined);
    if (other === undefined) return { ...ascent, schedule: "apgd" };
    throw new UsageError(`Inner attack: APGD has no ${other}; leave it out, or use fixed steps.`);
  }
  const { stepSize = epsilon / 4, momentum = 0, precision = "float32" } = options;
  checkFromZero("Inner attack", "stepSize", stepSize);
  checkFromZero("Inner attack", "momentum", momentum);
  return { ...ascent, schedule: "fixed", stepSize, momentum, precision };
}

export function isInt8(attack: InnerAttack): boolean {
  return attack.schedule === "fixed" && attack.precision === "int8";
}
