import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import type { Value } from "../graph/index.ts";
import type { LinearClassifier } from "./classifier.ts";
import type { Encoder, Parameters, Weights } from "./encoder.ts";

/**
 * Replaces an encoder's fixed head by one over its embeddings.
 *
 * @throws UsageError when the head reads embeddings of another size
 */
export function withHead(encoder: Encoder, head: LinearClassifier): Encoder {
  const { name, imageSize, embeddingSize, framing, normalization, parameters, layout, text } = encoder;
  const size = head.weight.shape[1];
  if (size !== embeddingSize)
    throw new UsageError(`The head reads embeddings of ${size} numbers, and those of ${name} have ${embeddingSize}.`);
  return {
    ...{ name, imageSize, embeddingSize, framing, normalization, parameters, layout, head },
    ...defined({ text }),
    embed: (pixels: Value, weights: Weights) => encoder.embed(pixels, weights),
    embedNormalized: (normalized: Value, weights: Weights) => encoder.embedNormalized(normalized, weights),
    headFeatures: (pixels: Value, weights: Weights) => encoder.embed(pixels, weights),
    withParameters: (changed: Parameters) => withHead(encoder.withParameters(changed), head),
  };
}
