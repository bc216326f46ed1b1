import type { ImageClass, ImageSource, Telling } from "../data/index.ts";
import { disordered } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Value } from "../graph/index.ts";
import {
  type Classifier,
  classify,
  type Encoder,
  frozenWeights,
  type LinearClassifier,
  pickRows,
} from "../models/index.ts";
import { counted } from "../words.ts";
import { tellSharedNames, tellSharedRows, tellSingleClass } from "./class-faults.ts";
import { type ZeroShotOptions, zeroShotClassifier } from "./zero-shot.ts";

/**
 * Rows of the head for a source's classes, in the order of its labels. Warns of rows that classes share.
 *
 * @throws UsageError when the source has no labels, or nothing says which head row a class is
 */
export function headRows(source: ImageSource, head: LinearClassifier, telling: Telling = {}): readonly number[] {
  const classes = classesOf(source);
  const rows = head.weight.shape[0]!;
  const chosen = classes.map(({ headIndex }) => headIndex);
  if (chosen.every((row) => row !== undefined)) {
    const outside = chosen.find((row) => row >= rows);
    if (outside !== undefined)
      throw new UsageError(
        `${source.name}: class index ${outside} is outside the head's ${counted(rows, "class", "classes")}.`,
      );
    tellSharedRows(classes, chosen, telling);
    return chosen;
  }
  const unmapped = classes.find(({ headIndex }) => headIndex === undefined)!;
  if (chosen.some((row) => row !== undefined)) {
    throw new UsageError(
      `${source.name}: the class file gives no index of the head for the folder ${unmapped.folder}.`,
    );
  }
  const early = disordered(classes.map(({ folder }) => folder));
  if (classes.length === rows && early !== undefined)
    throw new UsageError(
      `${source.name}: its folders are numbers, and as text "${early}" comes before smaller ones, so that nothing says which ` +
        "row of the head a folder is: give --classes FILE, a JSON file that maps folder names to head indices.",
    );
  if (classes.length === rows) return classes.map((_, i) => i);
  throw new UsageError(
    `${source.name} has ${counted(classes.length, "class", "classes")}, the encoder's head ${rows}, and nothing says which is which: ` +
      "give --classes FILE, a JSON file that maps folder names to head indices.",
  );
}

function classesOf({ name, classes, items }: ImageSource): readonly ImageClass[] {
  if (!classes) throw new UsageError(`${name}: accuracy needs labelled images, one sub-folder a class.`);
  const wrong = items.find(({ label }) => classes[label ?? -1] === undefined);
  if (wrong === undefined) return classes;
  throw new UsageError(
    `${name}: ${wrong.id} has ${wrong.label === undefined ? "no label" : `the label ${wrong.label}`}, and there are ` +
      `${counted(classes.length, "class", "classes")}: no prediction could be right.`,
  );
}

export interface ClassifierOptions extends ZeroShotOptions {
  /** Prompt templates of a zero-shot classifier, with `{}` for the class's name. Default: the source's own. */
  readonly templates?: readonly string[];
}

/**
 * Classifier of a source's classes, one row per class in the order of its labels. It is the encoder's fixed head. If
 * there is none, or templates are given, it is the text tower's zero-shot classifier over the class names. Warns of
 * classes that it cannot tell apart.
 *
 * @param options.defaultTemplates of the zero-shot classifier where no templates are given
 * @throws UsageError when the source has no labels, or the encoder neither a head that fits them nor a text tower
 */
export async function chooseClassifier(
  encoder: Encoder,
  source: ImageSource,
  { templates, defaultTemplates, ...options }: ClassifierOptions & { readonly defaultTemplates: readonly string[] },
): Promise<Classifier> {
  const { head, text } = encoder;
  const names = classesOf(source).map(({ name }) => name);
  tellSingleClass(source, options);
  if (head && !templates) return pickRows(head, headRows(source, head, options));
  const prompts = templates ?? defaultTemplates;
  if (text && prompts.length > 0) tellSharedNames(source, text, prompts[0]!, options);
  return zeroShotClassifier(encoder, names, prompts, options);
}

/** Classifier of images into a source's classes. */
export interface ImageClassifier {
  readonly classes: number;
  /** Whether logits are cosines with class embeddings. */
  readonly cosine: boolean;
  /** Logits [N, classes] for pixels [N, 3, S, S] in [0, 1], with all weights frozen. */
  readonly logits: (pixels: Value) => Value;
}

/** Template used when neither the call nor the source has any. */
export const plainTemplate = "a photo of a {}.";

/**
 * The encoder's classifier of a source's classes, on top of the encoder; see `chooseClassifier`.
 *
 * @throws UsageError when the source has no labels, or the encoder neither a head that fits them nor a text tower
 */
export async function imageClassifier(
  encoder: Encoder,
  source: ImageSource,
  options: ClassifierOptions = {},
): Promise<ImageClassifier> {
  const { head, headAdvice, parameters, text, name } = encoder;
  const { length: classes } = classesOf(source);
  if (!head && !text && !options.templates) {
    throw new UsageError(
      `${name} has neither a classification head nor a text tower with its tokeniser; accuracy needs one of them.${headAdvice === undefined ? "" : ` ${headAdvice}`}`,
    );
  }
  const defaultTemplates = source.templates ?? [plainTemplate];
  const classifier = await chooseClassifier(encoder, source, { ...options, defaultTemplates });
  const logits = (pixels: Value): Value => {
    const weights = frozenWeights(pixels.graph, parameters);
    const features =
      classifier.kind === "linear" ? encoder.headFeatures(pixels, weights) : encoder.embed(pixels, weights);
    return classify(features, classifier);
  };
  return { classes, cosine: classifier.kind === "cosine", logits };
}
