import { Graph, type Value } from "../../graph/index.ts";
import type { Parameters } from "../../models/index.ts";
import { gradientName } from "../../objectives/index.ts";
import { type AdamWOptions, adamWUpdate } from "./formula.ts";

/** Names of a parameter's moments among the graph's inputs and outputs. */
export const momentNames = (name: string): readonly [first: string, second: string] => [
  `first.${name}`,
  `second.${name}`,
];

/** Name of the output that replaces an input at the next step. */
export const nextName = (name: string): string => `next ${name}`;

/**
 * One AdamW step as a graph, for parameters that stay on a device. Same as `AdamW.step`, but in float32 throughout.
 *
 * Inputs: every parameter, its moments and its gradient (`d <parameter>`); the scalars of `AdamWRates`. Outputs: the
 * parameters and moments after the step (`next <input>`), and `norm`, the whole gradient's l2 norm.
 *
 * @param limit largest norm of the gradient; larger gradients are scaled down. Default: no limit
 */
export function adamWGraph(
  parameters: Parameters,
  options: AdamWOptions,
  limit?: number,
): Readonly<Record<string, Value>> {
  const g = new Graph();
  const scalar = (name: string): Value => g.input(name, "float32", []);
  const rates = { stepSize: scalar("stepSize"), correction: scalar("correction"), keep: scalar("keep") };
  const gradients = [...parameters].map(([name, { shape }]) => g.input(gradientName(name), "float32", shape));
  const norm = g.sqrt(gradients.map((gradient) => g.reduceSum(g.mul(gradient, gradient))).reduce(g.add));
  const scale = limit === undefined ? undefined : g.min(1, g.div(limit, norm));

  const outputs: Record<string, Value> = { norm };
  for (const [i, [name, { shape }]] of [...parameters].entries()) {
    const [first, second] = momentNames(name);
    const gradient = scale ? g.mul(gradients[i]!, scale) : gradients[i]!;
    const state = {
      parameter: g.input(name, "float32", shape),
      first: g.input(first, "float32", shape),
      second: g.input(second, "float32", shape),
    };
    const next = adamWUpdate<Value>(g, state, gradient, rates, options);
    outputs[nextName(name)] = next.parameter;
    outputs[nextName(first)] = next.first;
    outputs[nextName(second)] = next.second;
  }
  return outputs;
}
