import type { Apgd } from "./apgd.ts";
import { ascend, projectPoint, surfaceStart } from "./ball.ts";
import type { Origin, Search } from "./search.ts";
import type { DenseNorm, ThreatModel } from "./threat.ts";

/** Share of the steps since the last check that must have raised the loss, or the step size is halved. */
const risingShare = 0.75;
/** Weight of the gradient step against the momentum. */
const stepWeight = 0.75;

/** Algorithm 1 of Croce and Hein 2020, with the checks of its reference implementation. */
export function* apgdSearch(
  attack: ThreatModel<DenseNorm> & Pick<Apgd, "steps">,
  origin: Origin,
  target?: number,
): Search {
  const { norm, epsilon, steps } = attack;
  const { clean } = origin;
  const aim = target === undefined ? {} : { target };
  let point: Float32Array = origin.start?.slice() ?? surfaceStart(attack, clean, origin.random);
  let { loss, gradient, success } = yield { point, ...aim };
  if (success) return { point, loss, success };

  const best = { point: point.slice(), gradient: gradient.slice(), loss };
  const losses: number[] = [];
  const checks = new Schedule(steps);
  let previous: Float32Array = point.slice();
  let next: Float32Array = new Float32Array(point.length);
  let stepSize = 2 * epsilon;
  let halved = true;
  let bestAtCheck = loss;
  for (let step = 0; step < steps; step++) {
    momentumStep({ norm, epsilon }, { clean, point, previous, gradient, stepSize, first: step === 0 }, next);
    [previous, point, next] = [point, next, previous];
    ({ loss, gradient, success } = yield { point, ...aim });
    if (success) return { point, loss, success };
    losses.push(loss);
    if (loss > best.loss) {
      best.point.set(point);
      best.gradient.set(gradient);
      best.loss = loss;
    }
    const window = checks.due(step);
    if (window === undefined) continue;
    const stalled: boolean = !halved && bestAtCheck >= best.loss;
    halved = stalled || rises(losses, window) <= risingShare * window;
    bestAtCheck = best.loss;
    if (halved) {
      stepSize /= 2;
      point.set(best.point);
      gradient = best.gradient;
    }
  }
  return { point: best.point, loss: best.loss, success: false };
}

interface Step {
  readonly clean: Float32Array;
  readonly point: Float32Array;
  readonly previous: Float32Array;
  readonly gradient: Float32Array;
  readonly stepSize: number;
  readonly first: boolean;
}

/** z = P(x + step d(gradient)), next = P(x + a (z - x) + (1 - a) (x - previous)). */
function momentumStep(threat: ThreatModel<DenseNorm>, step: Step, out: Float32Array): void {
  const { clean, point, previous, gradient, stepSize, first } = step;
  ascend(threat.norm, point, gradient, stepSize, out);
  projectPoint(threat, out, clean);
  if (first) return;
  for (let i = 0; i < out.length; i++) {
    const x = point[i]!;
    out[i] = x + stepWeight * (out[i]! - x) + (1 - stepWeight) * (x - previous[i]!);
  }
  projectPoint(threat, out, clean);
}

/** When the step size is checked: after 22 % of the steps, then in periods that shrink by 3 % down to 6 %. */
class Schedule {
  readonly #shrinkBy: number;
  readonly #shortest: number;
  #period: number;
  #next: number;

  constructor(steps: number) {
    this.#period = Math.max(Math.trunc(0.22 * steps), 1);
    this.#shortest = Math.max(Math.trunc(0.06 * steps), 1);
    this.#shrinkBy = Math.max(Math.trunc(0.03 * steps), 1);
    this.#next = this.#period;
  }

  /** The steps since the last check, where one is due after this step; else undefined. */
  due(step: number): number | undefined {
    if (step + 1 < this.#next) return undefined;
    const period = this.#period;
    this.#period = Math.max(period - this.#shrinkBy, this.#shortest);
    this.#next += this.#period;
    return period;
  }
}

/**
 * How many of the last `window` losses exceed the one before. The loss before the first step counts as 0, as in the
 * reference implementation.
 */
function rises(losses: readonly number[], window: number): number {
  let count = 0;
  for (let i = losses.length - window; i < losses.length; i++) if (losses[i]! > (losses[i - 1] ?? 0)) count++;
  return count;
}
