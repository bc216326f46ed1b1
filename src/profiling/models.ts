import { UsageError } from "../errors.ts";
import { normalizations, randomVitParameters, VitEncoder } from "../models/index.ts";
import { randomStream } from "../random.ts";
import { type BenchModel, type BenchModelName, benchModels } from "./architectures.ts";
import { endlessNoise } from "./noise.ts";

/** The architecture with random weights: speed does not depend on them. */
export function benchEncoder(model: BenchModelName | BenchModel, seed: number, imageSize?: number): VitEncoder {
  const { imageSize: usual, ...architecture } = typeof model === "string" ? benchModels[model] : model;
  const name = typeof model === "string" ? model : "the model";
  const size = imageSize ?? usual;
  if (size % architecture.patch !== 0) {
    throw new UsageError(
      `Image size ${size} does not fit ${name}: use a multiple of its patch size ${architecture.patch}.`,
    );
  }
  return new VitEncoder({
    name,
    architecture,
    imageSize: size,
    normalization: normalizations.imagenet,
    parameters: randomVitParameters(architecture, size, endlessNoise(randomStream(seed, "weights").normal)),
  });
}
