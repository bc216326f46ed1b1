import type { ImageSource } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Value } from "../graph/index.ts";
import { classify, type LinearClassifier } from "../models/classifier.ts";
import { type Encoder, frozenWeights } from "../models/encoder.ts";

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

/** How an encoder with a fixed head sees the classes of a source. */
export interface HeadClassifier {
  /** Classes told apart. */
  readonly classes: number;
  /** Logits [N, classes] for pixels [N, 3, S, S] in [0, 1], with all weights frozen. */
  readonly logits: (pixels: Value) => Value;
}

/** @throws UsageError when the encoder has no head, or the source no labels that fit it */
export function headClassifier(encoder: Encoder, source: ImageSource): HeadClassifier {
  const { head, parameters } = encoder;
  if (!head) throw new UsageError(`${encoder.name} has no classification head; accuracy needs one.`);
  const rows = headRows(source, head);
  const logits = (pixels: Value): Value =>
    classify(encoder.embed(pixels, frozenWeights(pixels.graph, parameters)), head, rows);
  return { classes: rows.length, logits };
}
