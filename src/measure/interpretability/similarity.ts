import type { ImageSource } from "../../data/index.ts";
import type { Value } from "../../graph/index.ts";
import { chooseClassifier, plainTemplate, type ZeroShotOptions, zeroShotClassifier } from "../../inference/index.ts";
import { type Classifier, classify, type Encoder, frozenWeights } from "../../models/index.ts";

/** Similarity of images to texts or to classes of a fixed head, as graph nodes. */
export interface Similarity {
  readonly kind: "cosine" | "logit";
  /** Texts or classes. */
  readonly count: number;
  /** Factor from similarities to the classifier's logits. */
  readonly scale: number;
  /** [N, count] for pixels [N, 3, S, S] in [0, 1], with all weights frozen. */
  readonly values: (pixels: Value) => Value;
}

/**
 * Similarity of images to a source's classes: cosines with the zero-shot classifier's class embeddings if the encoder
 * has a text tower, else logits of its head. The largest is the encoder's prediction.
 *
 * @throws UsageError when the source has no labels, or the encoder neither a text tower nor a head that fits them
 */
export async function classSimilarity(
  encoder: Encoder,
  source: ImageSource,
  options: ZeroShotOptions = {},
): Promise<Similarity> {
  const defaultTemplates = source.templates ?? [plainTemplate];
  const templates = encoder.text && { templates: defaultTemplates };
  return similarityOf(encoder, await chooseClassifier(encoder, source, { ...options, ...templates, defaultTemplates }));
}

export function similarityOf(encoder: Encoder, classifier: Classifier): Similarity {
  const linear = classifier.kind === "linear";
  const scored: Classifier = linear ? classifier : { ...classifier, scale: 1 };
  return {
    kind: linear ? "logit" : "cosine",
    count: classifier.weight.shape[0]!,
    scale: linear ? 1 : classifier.scale,
    values: (pixels) => {
      const weights = frozenWeights(pixels.graph, encoder.parameters);
      return classify(linear ? encoder.headFeatures(pixels, weights) : encoder.embed(pixels, weights), scored);
    },
  };
}

/**
 * Normalised embeddings of texts, [texts, embedding size]. Cached on disk like class embeddings.
 *
 * @throws UsageError when the encoder has no text tower, or there are no texts
 */
export async function textEmbeddings(
  encoder: Encoder,
  texts: readonly string[],
  options: ZeroShotOptions = {},
): Promise<Float32Array> {
  const { weight } = await zeroShotClassifier(encoder, texts, ["{}"], options);
  return weight.data;
}
