import { gradients } from "../autodiff/index.ts";
import { defined } from "../defined.ts";
import { Graph, type Value } from "../graph/index.ts";
import { type Encoder, trainableWeights } from "../models/index.ts";
import { embeddingTerms, type Terms } from "./terms.ts";

/**
 * The primal step's loss and gradients as a graph. Adversarial and clean images go through the encoder as one batch.
 *
 * Inputs: `adversarial`, and with a constraint `clean` [N, 3, S, S]; `original` [N, D] (z0); `share` [N], each image's
 * share of the mean (1 / batch, 0 for padding); with a constraint `lambda` and `threshold` [N]; the inputs that
 * the terms declare; and every parameter. Outputs: `loss` (the shares' sum), `advEmbedding` [N, D], `advDistance` [N],
 * `advLoss` [N] where it is not that distance, with a constraint `cleanDistance` [N], and one gradient a parameter, named
 * `d <parameter>`.
 *
 * loss = sum over images of share (advLoss + lambda (cleanDistance - threshold)), paper equation 7.
 */
export function primalGraph(
  encoder: Pick<Encoder, "embed" | "embeddingSize" | "imageSize" | "parameters">,
  batch: number,
  constrained: boolean,
  terms: Terms = embeddingTerms,
): Readonly<Record<string, Value>> {
  const g = new Graph();
  const shape = [batch, 3, encoder.imageSize, encoder.imageSize];
  const adversarial = g.input("adversarial", "float32", shape);
  const original = g.input("original", "float32", [batch, encoder.embeddingSize]);
  const share = g.input("share", "float32", [batch]);
  const weights = trainableWeights(g, encoder.parameters);
  const embed = (pixels: Value): Value => encoder.embed(pixels, (name) => weights.get(name)!);

  const [advEmbedding, cleanEmbedding] = constrained
    ? g.split(embed(g.concat([adversarial, g.input("clean", "float32", shape)], 0)), [batch, batch], 0)
    : [embed(adversarial)];
  const advLoss = terms.loss(advEmbedding!, original);
  const advDistance = terms.divergence(advEmbedding!, original);
  const cleanDistance = cleanEmbedding && terms.divergence(cleanEmbedding, original);
  const perImage = cleanDistance ? g.add(advLoss, penalty(cleanDistance)) : advLoss;
  const loss = g.reduceSum(g.mul(perImage, share));
  const names = [...weights.keys()];
  const derivatives = gradients(loss, [...weights.values()]);
  return {
    loss,
    advEmbedding: advEmbedding!,
    advDistance,
    ...(advLoss !== advDistance && { advLoss }),
    ...defined({ cleanDistance }),
    ...Object.fromEntries(derivatives.map((value, i) => [gradientName(names[i]!), value])),
  };
}

/** lambda (cleanDistance - threshold), with inputs for the multipliers and thresholds. */
function penalty(cleanDistance: Value): Value {
  const { graph: g, shape } = cleanDistance;
  const lambda = g.input("lambda", "float32", shape);
  return g.mul(lambda, g.sub(cleanDistance, g.input("threshold", "float32", shape)));
}

export function gradientName(parameter: string): string {
  return `d ${parameter}`;
}
