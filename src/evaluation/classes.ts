import type { ImageSource } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Value } from "../graph/index.ts";
import { classify, type LinearClassifier } from "../models/classifier.ts";
import { type Encoder, frozenWeights, type Weights } from "../models/encoder.ts";
import { type ZeroShotOptions, zeroShotClassifier } from "./zero-shot.ts";

/**
 * Which rows of the head stand for a source's classes, in the order of its labels; undefined where labels are head
 * rows already.
 *
 * @throws UsageError when the source has no labels, or nothing says which head row a class is
 */
export function headRows(source: ImageSource, head: LinearClassifier): readonly number[] {
  const { classes } = source;
  const rows = head.weight.shape[0]!;
  if (!classes) throw new UsageError(`${source.name}: accuracy needs labelled images, one sub-folder a class.`);
  const chosen = classes.map(({ headIndex }) => headIndex);
  if (chosen.every((row) => row !== undefined)) {
    const outside = chosen.find((row) => row >= rows);
    if (outside !== undefined)
      throw new UsageError(`${source.name}: class index ${outside} is outside the head's ${rows} classes.`);
    return chosen;
  }
  const unmapped = classes.find(({ headIndex }) => headIndex === undefined)!;
  if (chosen.some((row) => row !== undefined)) {
    throw new UsageError(
      `${source.name}: the class file gives no index of the head for the folder ${unmapped.folder}.`,
    );
  }
  if (classes.length === rows) return classes.map((_, i) => i);
  throw new UsageError(
    `${source.name} has ${classes.length} classes, the encoder's head ${rows}, and nothing says which is which: ` +
      "give --classes FILE, a JSON file that maps folder names to head indices.",
  );
}

/** How an encoder tells a source's classes apart. */
export interface ImageClassifier {
  readonly classes: number;
  /** Logits [N, classes] for pixels [N, 3, S, S] in [0, 1], with all weights frozen. */
  readonly logits: (pixels: Value) => Value;
}

export interface ClassifierOptions extends ZeroShotOptions {
  /** Prompt templates of a zero-shot classifier, with `{}` for the class's name. Default: the source's own. */
  readonly templates?: readonly string[];
}

/** What stands in for templates where neither the call nor the source has any. */
const plainTemplate = "a photo of a {}.";

/**
 * The encoder's fixed head; or, where it has none or templates are given, its text tower's zero-shot classifier over
 * the source's class names.
 *
 * @throws UsageError when the source has no labels, or the encoder neither a head that fits them nor a text tower
 */
export async function imageClassifier(
  encoder: Encoder,
  source: ImageSource,
  { templates, ...options }: ClassifierOptions = {},
): Promise<ImageClassifier> {
  const { head, parameters, text, name } = encoder;
  const weights = (pixels: Value): Weights => frozenWeights(pixels.graph, parameters);
  if (head && !templates) {
    const rows = headRows(source, head);
    const logits = (pixels: Value): Value => classify(encoder.headFeatures(pixels, weights(pixels)), head, rows);
    return { classes: rows.length, logits };
  }
  const { classes } = source;
  if (!classes) throw new UsageError(`${source.name}: accuracy needs labelled images, one sub-folder a class.`);
  if (!text && !templates) {
    throw new UsageError(
      `${name} has neither a classification head nor a text tower with its tokeniser; accuracy needs one of them.`,
    );
  }
  const zeroShot = await zeroShotClassifier(
    encoder,
    classes.map((one) => one.name),
    templates ?? source.templates ?? [plainTemplate],
    options,
  );
  const logits = (pixels: Value): Value => classify(encoder.embed(pixels, weights(pixels)), zeroShot);
  return { classes: classes.length, logits };
}
