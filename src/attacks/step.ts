import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { type Norm, project, steepest } from "./threat.ts";

/**
 * What an attack maximises: a loss an image, as graph nodes over the perturbed pixels. Whatever else the loss needs
 * (embeddings, labels, weights) it declares as graph inputs of its own.
 */
export interface AttackTarget {
  /** [N] float32, one loss an image; images must not influence each other. */
  readonly loss: Value;
  /** [N] bool: the attack has succeeded on this image. Left out where there is no such notion (embedding losses). */
  readonly success?: Value;
}

/** Builds the target on a graph's perturbed pixels, float32 [batch, 3, size, size]. */
export type TargetBuilder = (pixels: Value) => AttackTarget;

export interface AscentSpec {
  readonly batch: number;
  readonly imageSize: number;
  readonly norm: Norm;
  /** Whether steps accumulate a velocity. */
  readonly momentum: boolean;
}

/**
 * One projected ascent step as a graph, from the images of now to the next ones. Inputs: `adversarial`, `clean`
 * [N, 3, S, S], scalars `epsilon`, `stepSize`, with momentum also `velocity` and the scalar `decay`; plus whatever the
 * target declares. Outputs: `next`, with momentum `nextVelocity`, and the target's `loss` and `success` on the images
 * of now. One program serves every epsilon.
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
  const { loss, success } = target(adversarial);
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
  return { next, loss, ...(nextVelocity && { nextVelocity }), ...(success && { success }) };
}

/** Squared l2 distance of each embedding to its target, [N] (FARE's and LORE's d). */
export function squaredDistance(embedding: Value, target: Value): Value {
  const { graph: g } = embedding;
  const difference = g.sub(embedding, target);
  return g.reduceSum(g.mul(difference, difference), { axes: [1] });
}

/** Cross-entropy of each row of logits [N, C] against class indices [N] (int64), as [N]. */
export function crossEntropy(logits: Value, labels: Value): Value {
  const { graph: g } = logits;
  return g.neg(g.reduceSum(g.mul(g.logSoftmax(logits), oneHot(labels, logits.shape[1]!)), { axes: [1] }));
}

/** Whether the arg max of each row differs from its label, [N] bool. */
export function misclassified(logits: Value, labels: Value): Value {
  const { graph: g } = logits;
  return g.not(g.equal(g.argMax(logits, 1), labels));
}

/**
 * The supervised target: cross-entropy against the graph input `labels` [N] (int64), and success where the arg max is
 * another class.
 *
 * @param logits builds logits [N, C] on the graph's pixels
 */
export function misclassification(logits: (pixels: Value) => Value): TargetBuilder {
  return (pixels) => {
    const labels = pixels.graph.input("labels", "int64", [pixels.shape[0]!]);
    const scores = logits(pixels);
    return { loss: crossEntropy(scores, labels), success: misclassified(scores, labels) };
  };
}

function oneHot(labels: Value, classes: number): Value {
  const { graph: g } = labels;
  const indices = g.indices(Array.from({ length: classes }, (_, i) => i));
  return g.cast(g.equal(g.unsqueeze(labels, [1]), g.unsqueeze(indices, [0])), "float32");
}
