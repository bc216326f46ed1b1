import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { randomStream } from "../random.ts";
import type { Program } from "../runtime/index.ts";
import { randomStart } from "./ball.ts";
import type { EpsilonDraw, FixedSteps, InnerAttack } from "./inner.ts";
import type { Feeds } from "./scheduler.ts";
import type { TargetBuilder } from "./target.ts";
import { type DenseNorm, project, steepest } from "./threat.ts";

interface AscentSpec {
  readonly batch: number;
  readonly imageSize: number;
  readonly norm: DenseNorm;
  /** Steps accumulate a velocity. */
  readonly momentum: boolean;
}

/**
 * One projected ascent step as a graph, from the current images to the next ones. Inputs: `adversarial`, `clean`
 * [N, 3, S, S], `epsilon` and `stepSize` [N], with momentum also `velocity` and the scalar `decay`; plus whatever the
 * target declares. Outputs: `next`, with momentum `nextVelocity`, and the target's `loss` on the current images.
 *
 * Step (Madry et al. 2018; momentum as in RobustVLM's inner attack):
 * v' = decay v + d(gradient), x' = project(x + stepSize d(v')), d the steepest direction of the norm.
 */
export function ascentGraph(spec: AscentSpec, target: TargetBuilder): Readonly<Record<string, Value>> {
  const g = new Graph();
  const shape = [spec.batch, 3, spec.imageSize, spec.imageSize];
  const adversarial = g.input("adversarial", "float32", shape);
  const clean = g.input("clean", "float32", shape);
  const perImage = (name: string): Value => g.reshape(g.input(name, "float32", [spec.batch]), [spec.batch, 1, 1, 1]);
  const [epsilon, stepSize] = [perImage("epsilon"), perImage("stepSize")];
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

/** The settings of one projected ascent. */
export type Steps = Pick<FixedSteps, "norm" | "steps" | "momentum">;

/** The part of an attack that its ascent graph depends on; attacks with equal specs can share a program. */
export function ascentSpec({ norm, momentum }: Steps, batch: number, imageSize: number): AscentSpec {
  return { batch, imageSize, norm, momentum: momentum > 0 };
}

/**
 * Projected ascent on all images of one batch, all steps, last iterate.
 *
 * @param program a step, made by `ascentGraph`
 * @param clean [batch, 3, S, S] in [0, 1], exactly the program's batch
 * @param feeds `epsilon` and `stepSize` [batch], and whatever else the program reads
 * @param out holds the images to start from and receives the perturbed ones; same length as `clean`
 */
export async function ascendBatch(
  program: Program,
  attack: Steps,
  clean: Float32Array,
  feeds: Feeds,
  out: Float32Array,
): Promise<void> {
  const velocity = new Float32Array(attack.momentum > 0 ? clean.length : 0);
  for (let step = 0; step < attack.steps; step++) {
    const result = await program.run({ ...feeds, ...ascentScalars(attack), adversarial: out, clean, velocity });
    out.set(result.next as Float32Array);
    if (attack.momentum > 0) velocity.set(result.nextVelocity as Float32Array);
  }
}

/** Rows of an inner attack's batch: where each image starts, and the size of its perturbation and steps. */
export interface Starts {
  /** [batch, 3, S, S] in [0, 1] */
  readonly adversarial: Float32Array;
  /** [batch], in pixel units */
  readonly epsilon: Float32Array;
  /** [batch], in pixel units; unused by APGD */
  readonly stepSize: Float32Array;
}

/**
 * Draws where an inner attack starts, image by image, and how far it may go.
 *
 * @param clean [batch, 3, S, S]
 * @param keyOf key of the random numbers of the batch's i-th image: the same key, the same start
 * @param out receives the draws
 */
export function drawStarts(
  attack: InnerAttack,
  clean: Float32Array,
  keyOf: (image: number) => readonly (number | string)[],
  out: Starts,
): void {
  const batch = out.epsilon.length;
  const length = clean.length / batch;
  for (let i = 0; i < batch; i++) {
    const epsilon = attack.epsilon * drawnShare(attack.epsilonDraw, keyOf(i));
    out.epsilon[i] = epsilon;
    if (attack.schedule === "fixed") out.stepSize[i] = attack.stepSize * (epsilon / attack.epsilon || 0);
    const [image, start] = [clean, out.adversarial].map((rows) => rows.subarray(i * length, (i + 1) * length));
    if (attack.start === "zero") start!.set(image!);
    else randomStart({ ...attack, epsilon }, image!, randomStream(...keyOf(i)), start!);
  }
}

/** An image's share of epsilon, from a stream of its own: the start in the ball does not depend on the draw. */
function drawnShare(draw: EpsilonDraw, key: readonly (number | string)[]): number {
  if (draw === "constant") return 1;
  const u = randomStream(...key, "epsilon").uniform();
  return draw === "sqrt" ? Math.sqrt(u) : u;
}

/** The numbers that `ascentGraph` reads besides those of each image. */
export function ascentScalars({ momentum }: Pick<Steps, "momentum">): Feeds {
  return { decay: Float32Array.of(momentum) };
}
