import type { Graph, Value } from "../../graph/index.ts";
import { mismatch } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/index.ts";
import type { Composites } from "./use.ts";

/** Losses of classifiers: logarithms of probabilities or scores [N, C, ...], targets [N, ...], weights of classes [C]. */
export const losses: Composites = {
  NegativeLogLikelihoodLoss: ({ g, x: [logs, targets, weights], a }) => [loss(g, logs!, targets!, weights, a)],
  SoftmaxCrossEntropyLoss: ({ g, x: [scores, targets, weights], a }) => {
    const logs = g.logSoftmax(scores!, 1);
    return [loss(g, logs, targets!, weights, a), logs];
  },
};

function loss(g: Graph, logs: Value, targets: Value, weights: Value | undefined, a: Attributes): Value {
  // The ignored index need not be a valid class.
  const ignored = a.ignore_index === undefined ? undefined : g.equal(targets, a.ignore_index as number);
  const classes = ignored ? g.where(ignored, 0, targets) : targets;
  const picked = g.apply("GatherElements", [logs, g.unsqueeze(classes, [1])], { axis: 1 })[0]!;
  const plain = g.neg(g.squeeze(picked, [1]));
  const ones = weights ? g.gather(weights, classes) : g.expand(g.scalar(1, logs.dtype), targets.shape);
  const shares = ignored ? g.where(ignored, 0, ones) : ones;
  const weighted = weights || ignored ? g.mul(plain, shares) : plain;
  switch (a.reduction ?? "mean") {
    case "none":
      return weighted;
    case "sum":
      return g.reduceSum(weighted);
    case "mean":
      return g.div(g.reduceSum(weighted), g.reduceSum(shares));
    default:
      return mismatch(`the reduction ${a.reduction} is not supported`);
  }
}
