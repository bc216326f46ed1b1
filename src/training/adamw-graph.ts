import { Graph, type Value } from "../graph/index.ts";
import type { Parameters } from "../models/encoder.ts";
import { gradientName } from "../objectives/index.ts";
import { type AdamWOptions, adamWDefaults } from "./adamw.ts";

/** Where the graph reads and writes a parameter's moments. */
export const momentNames = (name: string): readonly [first: string, second: string] => [
  `first.${name}`,
  `second.${name}`,
];

/** The output that takes an input's place at the next step. */
export const nextName = (name: string): string => `next ${name}`;

/** The scalars that change from step to step, for step t from 1; see `AdamW`. */
export function adamWScalars(
  t: number,
  learningRate: number,
  options: AdamWOptions,
): Readonly<Record<"stepSize" | "correction" | "keep", Float32Array>> {
  const { beta1, beta2, weightDecay } = { ...adamWDefaults, ...options };
  return {
    stepSize: Float32Array.of(learningRate / (1 - beta1 ** t)),
    correction: Float32Array.of(1 / Math.sqrt(1 - beta2 ** t)),
    keep: Float32Array.of(1 - learningRate * weightDecay),
  };
}

/**
 * One AdamW step as a graph, for parameters that stay on a device: what `AdamW.step` does, in float32 throughout.
 *
 * Inputs: every parameter, its moments and its gradient (`d <parameter>`); the scalars of `adamWScalars`. Outputs: the
 * parameters and moments of after the step (`next <input>`), and `norm`, the whole gradient's l2 norm.
 *
 * @param limit largest norm of the gradient that is used; longer ones are scaled down. Default: no limit
 */
export function adamWGraph(
  parameters: Parameters,
  options: AdamWOptions,
  limit?: number,
): Readonly<Record<string, Value>> {
  const { beta1, beta2, epsilon } = { ...adamWDefaults, ...options };
  const g = new Graph();
  const scalar = (name: string): Value => g.input(name, "float32", []);
  const [stepSize, correction, keep] = [scalar("stepSize"), scalar("correction"), scalar("keep")];
  const gradients = [...parameters].map(([name, { shape }]) => g.input(gradientName(name), "float32", shape));
  const norm = g.sqrt(gradients.map((gradient) => g.reduceSum(g.mul(gradient, gradient))).reduce(g.add));
  const scale = limit === undefined ? undefined : g.min(1, g.div(limit, norm));

  const outputs: Record<string, Value> = { norm };
  for (const [i, [name, { shape }]] of [...parameters].entries()) {
    const [first, second] = momentNames(name);
    const gradient = scale ? g.mul(gradients[i]!, scale) : gradients[i]!;
    const m = g.add(g.mul(g.input(first, "float32", shape), beta1), g.mul(gradient, 1 - beta1));
    const v = g.add(g.mul(g.input(second, "float32", shape), beta2), g.mul(g.mul(gradient, gradient), 1 - beta2));
    const update = g.div(g.mul(m, stepSize), g.add(g.mul(g.sqrt(v), correction), epsilon));
    outputs[nextName(name)] = g.sub(g.mul(g.input(name, "float32", shape), keep), update);
    outputs[nextName(first)] = m;
    outputs[nextName(second)] = v;
  }
  return outputs;
}
