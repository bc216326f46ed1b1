import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { randomStream } from "../random.ts";
import type { Program } from "../runtime/program.ts";
import { randomStart } from "./ball.ts";
import type { Feeds } from "./drive.ts";
import type { FixedSteps, InnerAttack } from "./inner.ts";
import type { TargetBuilder } from "./target.ts";
import { type DenseNorm, project, steepest, type ThreatModel } from "./threat.ts";

export interface AscentSpec {
  readonly batch: number;
  readonly imageSize: number;
  readonly norm: DenseNorm;
  /** Whether steps accumulate a velocity. */
  readonly momentum: boolean;
}

/**
 * One projected ascent step as a graph, from the images of now to the next ones. Inputs: `adversarial`, `clean`
 * [N, 3, S, S], scalars `epsilon`, `stepSize`, with momentum also `velocity` and the scalar `decay`; plus whatever the
 * target declares. Outputs: `next`, with momentum `nextVelocity`, and the target's `loss` on the images of now. One program serves every epsilon.
 *
 * Step (Madry et al. 2018; momentum as in RobustVLM's inner attack):
 * v' = decay v + d(gradient), x' = project(x + stepSize d(v')), d the steepest direction of the norm.
 */
export function ascentGraph(spec: AscentSpec, target: TargetBuilder): Readonly<Record<string, Value>> {
  const g = new Graph();
  const shape = [spec.batch, 3, spec.imageSize, spec.imageSize];
  const adversarial = g.input("adversarial", "float32", shape);
  const clean = g.input("clean", "float32", shape);
  const epsilon = g.input("epsilon", "float32", []);
  const stepSize = g.input("stepSize", "float32", []);
  const { loss } = target(adversarial);
  const [gradient] = gradients(g.reduceSum(loss), [adversarial]);

  let direction = steepest(spec.norm, gradient);
  let nextVelocity: Value | undefined;
  if (spec.momentum) {
    const velocity = g.input("velocity", "float32", shape);
    const decay = g.input("decay", "float32", []);
    nextVelocity = g.add(g.mul(velocity, decay), direction);
    direction = steepest(spec.norm, nextVelocity);
  }
  const next = project(spec.norm, g.add(adversarial, g.mul(direction, stepSize)), clean, epsilon);
  return { next, loss, ...(nextVelocity && { nextVelocity }) };
}

/** What one projected ascent needs to know. */
export type Steps = ThreatModel<DenseNorm> & Pick<FixedSteps, "steps" | "stepSize" | "momentum">;

/** What `ascentGraph` needs to know of an attack; attacks with equal answers can share a program. */
export function ascentSpec({ norm, momentum }: Steps, batch: number, imageSize: number): AscentSpec {
  return { batch, imageSize, norm, momentum: momentum > 0 };
}

/**
 * Projected ascent on all images of one batch, all steps, last iterate.
 *
 * @param programAt the program of a step, made by `ascentGraph`
 * @param clean [batch, 3, S, S] in [0, 1], exactly the programs' batch
 * @param out holds the images to start from and receives the perturbed ones; same length as `clean`
 */
export async function ascendBatch(
  programAt: (step: number) => Program,
  attack: Steps,
  clean: Float32Array,
  feeds: Feeds,
  out: Float32Array,
): Promise<void> {
  const velocity = new Float32Array(attack.momentum > 0 ? clean.length : 0);
  for (let step = 0; step < attack.steps; step++) {
    const result = await programAt(step).run({ ...feeds, ...ascentScalars(attack), adversarial: out, clean, velocity });
    out.set(result.next as Float32Array);
    if (attack.momentum > 0) velocity.set(result.nextVelocity as Float32Array);
  }
}

/**
 * Where an inner attack starts, image by image; at random where there is no previous perturbation.
 *
 * @param clean [batch, 3, S, S]
 * @param keyOf makes the random start of the batch's i-th image: the same key, the same start
 * @param out receives the images; same length as `clean`
 */
export function startingPoints(
  attack: Pick<InnerAttack, "norm" | "epsilon" | "start">,
  clean: Float32Array,
  batch: number,
  keyOf: (image: number) => readonly (number | string)[],
  out: Float32Array,
): void {
  if (attack.start === "zero") {
    out.set(clean);
    return;
  }
  const length = clean.length / batch;
  for (let i = 0; i < batch; i++) {
    const [from, to] = [i * length, (i + 1) * length];
    randomStart(attack, clean.subarray(from, to), randomStream(...keyOf(i)), out.subarray(from, to));
  }
}

/** The numbers that `ascentGraph` reads. */
export function ascentScalars({ epsilon, stepSize, momentum }: Steps): Feeds {
  return { epsilon: Float32Array.of(epsilon), stepSize: Float32Array.of(stepSize), decay: Float32Array.of(momentum) };
}
