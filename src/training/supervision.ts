import type { ImageClass, ImageSource } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Classifier, Encoder } from "../models/index.ts";
import type { Objective } from "../objectives/index.ts";
import { counted } from "../words.ts";

/**
 * Checks that the encoder fits an objective's classifiers, and that the data fits a supervised objective.
 *
 * @throws UsageError when the embedding has another size, the images have no labels, or the classes are not the rows
 */
export function checkSupervision({ name, loss, constraint }: Objective, encoder: Encoder, source: ImageSource): void {
  if (constraint?.divergence === "classes") checkSize(constraint.classifier, encoder);
  if (loss.kind !== "cross-entropy") return;
  checkSize(loss.classifier, encoder);
  const classes = labelledClasses(source, name);
  const rows = loss.classifier.weight.shape[0]!;
  if (classes.length !== rows) {
    throw new UsageError(
      `${source.name} has ${counted(classes.length, "class", "classes")}, the classifier ${counted(rows, "row")}: ${name} needs one row a class, in the ` +
        "order of the data's classes.",
    );
  }
}

/**
 * Classes of a source in which every image has a label.
 *
 * @param method name of the method that needs them, for the error
 * @throws UsageError when there are none
 */
export function labelledClasses({ name, classes, items }: ImageSource, method: string): readonly ImageClass[] {
  if (classes && items.every(({ label }) => label !== undefined)) return classes;
  throw new UsageError(
    `${name}: ${method} needs labelled images, one sub-folder a class; lore and fare need no labels.`,
  );
}

function checkSize({ weight }: Classifier, { name, embeddingSize }: Encoder): void {
  const size = weight.shape[1]!;
  if (size !== embeddingSize)
    throw new UsageError(`The classifier reads ${size} numbers, ${name} embeds an image in ${embeddingSize}.`);
}
