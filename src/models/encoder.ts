import type { Framing } from "../framing.ts";
import type { Graph, Value } from "../graph/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { LinearClassifier } from "./classifier.ts";
import type { Layout } from "./layouts/layout.ts";
import type { TextTower } from "./text/text-tower.ts";

/** An encoder's weights by name, float32. */
export type Parameters = ReadonlyMap<string, Tensor<"float32">>;

/** Gives the graph value of a parameter: an input when it is trained, a constant when it is frozen. */
export type Weights = (name: string) => Value;

/** Channel statistics of pixels in [0, 1]; images are normalised as (x - mean) / std, inside the graph. */
export interface Normalization {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** A vision encoder at one image size: its weights, and how they make an embedding out of pixels. */
export interface Encoder {
  readonly name: string;
  /** Side of the square input, in pixels. */
  readonly imageSize: number;
  readonly embeddingSize: number;
  /** How an image of any size becomes that square: done by whoever reads images. */
  readonly framing: Framing;
  /** Done in the graph. */
  readonly normalization: Normalization;
  readonly parameters: Parameters;
  /** How its file names and arranges the tensors; `saveEncoder` writes the same. */
  readonly layout: Layout;
  /** Embeds texts into the same space (CLIP). */
  readonly text?: TextTower;
  /** A fixed head over `headFeatures`. */
  readonly head?: LinearClassifier;
  /** Advice, in words, on how to get a head where there is none. */
  readonly headAdvice?: string;
  /**
   * Adds the encoder to the graph that `pixels` belongs to.
   *
   * @param pixels float32 [N, 3, imageSize, imageSize], RGB in [0, 1]
   * @returns un-normalised embeddings, float32 [N, embeddingSize]
   */
  embed(pixels: Value, weights: Weights): Value;
  /** The same from pixels that are normalised already. */
  embedNormalized(normalized: Value, weights: Weights): Value;
  /** Features that a fixed head reads, [N, feature size], for pixels in [0, 1]: by default the embedding. */
  headFeatures(pixels: Value, weights: Weights): Value;
  /** The same encoder with other weights of the same names and shapes. */
  withParameters(parameters: Parameters): Encoder;
}

/** (pixels - mean) / std as one product and one sum; pixels [N, 3, H, W]. */
export function normalize(pixels: Value, { mean, std }: Normalization): Value {
  const { graph: g } = pixels;
  const channels = (values: readonly number[]): Value =>
    g.constant({ dtype: "float32", shape: [1, 3, 1, 1], data: Float32Array.from(values) });
  return g.add(g.mul(pixels, channels(std.map((s) => 1 / s))), channels(mean.map((m, i) => -m / std[i]!)));
}

/** Declares every parameter as a graph input of its own name. */
export function trainableWeights(graph: Graph, parameters: Parameters): ReadonlyMap<string, Value> {
  return new Map([...parameters].map(([name, tensor]) => [name, graph.input(name, "float32", tensor.shape)]));
}

/** Embeddings [N, D] of pixels [N, 3, S, S], with every parameter an input of their graph. */
export function trainableEmbedding(encoder: Encoder, pixels: Value): Value {
  const weights = trainableWeights(pixels.graph, encoder.parameters);
  return encoder.embed(pixels, (name) => weights.get(name)!);
}

/** Weights as constants of the graph, which ONNX Runtime packs once for its products. */
export function frozenWeights(graph: Graph, parameters: Parameters): Weights {
  return (name) => graph.constant(parameters.get(name)!);
}

/** Copies of the arrays, for weights that an optimiser will change in place. */
export function cloneParameters(parameters: Parameters): Parameters {
  return new Map([...parameters].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]));
}

/** Parameters as a program takes them. */
export function feedsOf(parameters: Parameters): Readonly<Record<string, Float32Array>> {
  return Object.fromEntries([...parameters].map(([name, { data }]) => [name, data]));
}
