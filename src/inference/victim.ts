import type { ImageSource } from "../data/index.ts";
import type { Value } from "../graph/index.ts";
import { type Encoder, frozenWeights } from "../models/index.ts";
import { type ClassifierOptions, imageClassifier } from "./classes.ts";

/** Target of an attack. */
export interface Victim {
  /** The encoder's. */
  readonly name: string;
  readonly imageSize: number;
  /** Its logits are cosines, which an embedding of zeros has none of. Default false. */
  readonly cosine?: boolean;
  /** Logits [N, C] for pixels [N, 3, S, S] in [0, 1]. */
  readonly logits: (pixels: Value) => Value;
  /** Embeddings [N, D]. */
  readonly embed: (pixels: Value) => Value;
}

/** An encoder's embeddings as graph nodes, with all weights frozen: [N, D] for pixels [N, 3, S, S] in [0, 1]. */
export function frozenEmbedding(encoder: Encoder): (pixels: Value) => Value {
  return (pixels) => encoder.embed(pixels, frozenWeights(pixels.graph, encoder.parameters));
}

/** An encoder as a classifier of a source's images. */
export interface ClassifyingVictim extends Victim {
  readonly classes: number;
}

/**
 * The encoder with its classifier of the source's classes; see `imageClassifier`.
 *
 * @throws UsageError when the source has no labels, or the encoder neither a head that fits them nor a text tower
 */
export async function victimOf(
  encoder: Encoder,
  source: ImageSource,
  options: ClassifierOptions = {},
): Promise<ClassifyingVictim> {
  const { name, imageSize } = encoder;
  return { name, imageSize, ...(await imageClassifier(encoder, source, options)), embed: frozenEmbedding(encoder) };
}
