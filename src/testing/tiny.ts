import { vitShapes } from "../models/architectures/vit.ts";
import { type LinearClassifier, type Parameters, type VitArchitecture, VitEncoder } from "../models/index.ts";
import { type RandomStream, randomStream } from "../random.ts";
import { allocate, type Tensor } from "../tensor/tensor.ts";

export interface TinyOptions {
  readonly seed?: number;
  readonly depth?: number;
  readonly imageSize?: number;
  /** Classes of the head; 0 for none. Default 8, as many as `synthetic` has. */
  readonly classes?: number;
}

/**
 * An encoder that runs in milliseconds: patch 4, width 16, 2 heads, 8 pixels. Its weights are larger than a fresh
 * network's, so that the embedding depends on every one of them and on the image by much more than rounding.
 */
export function tinyEncoder({ seed = 0, depth = 1, imageSize = 8, classes = 8 }: TinyOptions = {}): VitEncoder {
  const random = randomStream("tiny", seed);
  const architecture: VitArchitecture = { patch: 4, width: 16, depth, heads: 2 };
  const parameters: Parameters = new Map(
    [...vitShapes(architecture, imageSize)].map(([name, shape]) => [name, randomTensor(random, name, shape)]),
  );
  const head: LinearClassifier = {
    kind: "linear",
    weight: normal(random, [classes, 16], 0, 0.5),
    bias: normal(random, [classes], 0, 0.1),
  };
  return new VitEncoder({
    name: "tiny",
    architecture,
    imageSize,
    normalization: { mean: [0.48, 0.46, 0.41], std: [0.23, 0.22, 0.225] },
    parameters,
    ...(classes > 0 && { head }),
  });
}

/** A weight of that name: norms near 1, biases small, the rest larger than a fresh network's. */
export function randomTensor(random: RandomStream, name: string, shape: readonly number[]): Tensor<"float32"> {
  return normal(random, shape, /norm(\d|_pre)?\.weight$/.test(name) ? 1 : 0, name.endsWith("bias") ? 0.1 : 0.25);
}

/** Images [count, 3, size, size] with values uniform in [low, high). */
export function randomImages(count: number, { seed = 0, size = 8, low = 0, high = 1 } = {}): Float32Array {
  const random = randomStream("images", seed);
  return new Float32Array(count * 3 * size * size).map(() => random.uniform(low, high));
}

function normal(random: RandomStream, shape: readonly number[], mean: number, deviation: number): Tensor<"float32"> {
  const data = allocate("float32", shape).map(() => mean + deviation * random.normal());
  return { dtype: "float32", shape, data };
}
