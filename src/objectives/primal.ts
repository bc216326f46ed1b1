import { squaredDistance } from "../attacks/index.ts";
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { type Encoder, trainableWeights } from "../models/encoder.ts";

/**
 * The primal step's loss and gradients as a graph. Adversarial and clean images go through the encoder as one batch.
 *
 * Inputs: `adversarial`, and with a constraint `clean` [N, 3, S, S]; `original` [N, D] (z0); `share` [N], each image's
 * share of the mean (1 / batch, 0 for padding); with a constraint `lambda` and `threshold` [N]; and every parameter.
 * Outputs: `loss` (the shares' sum), `advDistance` [N], with a constraint `cleanDistance` [N], and one gradient a
 * parameter, named `d <parameter>`.
 *
 * loss = sum over images of share (advDistance + lambda (cleanDistance - threshold)), paper equation 7.
 */
export function primalGraph(encoder: Encoder, batch: number, constrained: boolean): Readonly<Record<string, Value>> {
  const g = new Graph();
  const shape = [batch, 3, encoder.imageSize, encoder.imageSize];
  const adversarial = g.input("adversarial", "float32", shape);
  const original = g.input("original", "float32", [batch, encoder.embeddingSize]);
  const share = g.input("share", "float32", [batch]);
  const weights = trainableWeights(g, encoder.parameters);
  const embed = (pixels: Value): Value => encoder.embed(pixels, (name) => weights.get(name)!);

  let advDistance: Value;
  let cleanDistance: Value | undefined;
  let perImage: Value;
  if (constrained) {
    const clean = g.input("clean", "float32", shape);
    const lambda = g.input("lambda", "float32", [batch]);
    const threshold = g.input("threshold", "float32", [batch]);
    const [advEmbedding, cleanEmbedding] = g.split(embed(g.concat([adversarial, clean], 0)), [batch, batch], 0);
    advDistance = squaredDistance(advEmbedding!, original);
    cleanDistance = squaredDistance(cleanEmbedding!, original);
    perImage = g.add(advDistance, g.mul(lambda, g.sub(cleanDistance, threshold)));
  } else {
    advDistance = squaredDistance(embed(adversarial), original);
    perImage = advDistance;
  }
  const loss = g.reduceSum(g.mul(perImage, share));
  const names = [...weights.keys()];
  const derivatives = gradients(loss, [...weights.values()]);
  return {
    loss,
    advDistance,
    ...(cleanDistance && { cleanDistance }),
    ...Object.fromEntries(derivatives.map((value, i) => [gradientName(names[i]!), value])),
  };
}

export function gradientName(parameter: string): string {
  return `d ${parameter}`;
}
