import type { Graph, Value } from "../../graph/index.ts";
import { axisIn, range } from "../../graph/index.ts";
import { type Composites, number } from "./use.ts";

/** The negative part of a value. Its exponential cannot overflow. */
const negativePart = (x: Value): Value => x.graph.apply("Clip", [x], { max: 0 })[0]!;

/** Element-wise functions. */
export const activations: Composites = {
  LeakyRelu: ({ g, x: [x], a }) => [g.where(g.greater(x!, 0), x!, g.mul(x!, number(a, "alpha", 0.01)))],
  PRelu: ({ g, x: [x, slope] }) => [g.where(g.greater(x!, 0), x!, g.mul(x!, slope!))],
  Elu: ({ g, x: [x], a }) => {
    const below = negativePart(x!);
    return [g.where(g.greater(x!, 0), x!, g.mul(g.sub(g.exp(below), 1), number(a, "alpha", 1)))];
  },
  Celu: ({ g, x: [x], a }) => {
    const alpha = number(a, "alpha", 1);
    const below = negativePart(x!);
    return [g.where(g.greater(x!, 0), x!, g.mul(g.sub(g.exp(g.div(below, alpha)), 1), alpha))];
  },
  Selu: ({ g, x: [x], a }) => {
    const below = negativePart(x!);
    const tail = g.mul(g.sub(g.exp(below), 1), number(a, "alpha", 1.6732632423543772));
    return [g.mul(g.where(g.greater(x!, 0), x!, tail), number(a, "gamma", 1.0507009873554805))];
  },
  HardSigmoid: ({ g, x: [x], a }) => [g.clip(g.add(g.mul(x!, number(a, "alpha", 0.2)), number(a, "beta", 0.5)), 0, 1)],
  HardSwish: ({ g, x: [x] }) => [g.mul(x!, g.clip(g.add(g.div(x!, 6), 0.5), 0, 1))],
  Mish: ({ g, x: [x] }) => [g.mul(x!, g.tanh(g.softplus(x!)))],
  Softsign: ({ g, x: [x] }) => [g.div(x!, g.add(g.abs(x!), 1))],
  Shrink: ({ g, x: [x], a }) => {
    const [bias, lambda] = [number(a, "bias", 0), number(a, "lambd", 0.5)];
    const above = g.where(g.greater(x!, lambda), g.sub(x!, bias), 0);
    return [g.where(g.apply("Less", [x!, g.scalar(-lambda, x!.dtype)])[0]!, g.add(x!, bias), above)];
  },
  Hardmax: ({ g, x: [x], a }) => [hardmax(g, x!, number(a, "axis", -1))],
  FlatHardmax: ({ g, x: [x], a }) => {
    const rows = g.flatten(x!, number(a, "axis", 1));
    return [g.reshape(hardmax(g, rows, 1), x!.shape)];
  },
  ThresholdedRelu: ({ g, x: [x], a }) => [g.where(g.greater(x!, number(a, "alpha", 1)), x!, 0)],
};

/** 1 at the first of the largest elements along an axis, 0 elsewhere. */
function hardmax(g: Graph, x: Value, axis: number): Value {
  const along = axisIn(axis, x.rank);
  const places = g.reshape(
    g.indices(range(x.shape[along]!)),
    x.shape.map((size, i) => (i === along ? size : 1)),
  );
  return g.cast(g.equal(places, g.unsqueeze(g.argMax(x, along), [along])), x.dtype);
}
