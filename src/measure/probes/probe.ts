import { chooseImages, collecting, type ImageSource, tellFault } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { type EmbedSourceOptions, embedSource, tellSingleClass } from "../../inference/index.ts";
import type { Encoder, LinearClassifier } from "../../models/index.ts";
import { checkNonZero } from "../../models/index.ts";
import type { ProbedEncoder } from "../../results/index.ts";
import { counted, some } from "../../words.ts";
import { accuracyOf, type Labelled } from "./labelled.ts";
import { linearProbe, predictLinear } from "./logistic.ts";
import { nearestNeighbours } from "./neighbours.ts";
import { placesOf } from "./places.ts";

export interface ProbeOptions extends Omit<EmbedSourceOptions, "order" | "onProgress"> {
  /** Numbers of neighbours. Default 1, 5, 20. */
  readonly neighbours?: readonly number[];
  /** Images to fit on and to measure with, taken class by class in turn. Default: all. */
  readonly limitTrain?: number;
  readonly limit?: number;
  readonly seed?: number;
  readonly onProgress?: (progress: { readonly phase: string; readonly done: number; readonly total: number }) => void;
}

/** Results of `probe`, and the fitted head with one row per class of the training images. */
export interface Probed extends Omit<ProbedEncoder, "encoder"> {
  readonly head: LinearClassifier;
  readonly trainImages: number;
  readonly testImages: number;
  /** Images of both sources that could not be read. */
  readonly skipped: number;
  readonly classes: number;
  /** Reasons not to trust these numbers. */
  readonly warnings: readonly string[];
}

/**
 * A linear probe and k-nearest neighbours over an encoder's frozen embeddings; see `linearProbe`, `nearestNeighbours`.
 *
 * @throws UsageError when a source has no labels, their classes differ, or no image can be read; when an embedding is not
 *   finite, or zero, so that it has no cosine
 */
export async function probe(
  encoder: Encoder,
  train: ImageSource,
  test: ImageSource,
  options: ProbeOptions = {},
): Promise<Probed> {
  const { neighbours = [1, 5, 20], limitTrain, limit, seed = 0, onProgress, ...embedding } = options;
  const telling = collecting(options);
  const classes = matchClasses(train, test);
  let skipped = 0;
  const embed = async (source: ImageSource, limit: number | undefined, phase: string): Promise<Labelled> => {
    const order = chooseImages(source, { limit, seed, ...telling });
    const unlabelled = order.find((i) => source.items[i]!.label === undefined);
    if (unlabelled !== undefined)
      throw new UsageError(`${source.name}: ${source.items[unlabelled]!.id} has no label. Give labelled images alone.`);
    const found = await embedSource(encoder, source, {
      ...embedding,
      ...telling,
      order,
      onProgress: (progress) => onProgress?.({ phase, ...progress }),
    });
    const { embeddings, labels, ids } = found;
    checkNonZero(embeddings, ids.length, { encoder: encoder.name, what: "embedding", nameOf: (i) => ids[i]! });
    skipped += found.skipped;
    return { embeddings, labels, size: encoder.embeddingSize };
  };
  const known = await embed(train, limitTrain, "training images");
  const found = await embed(test, limit, "test images");
  const measured = { ...found, labels: found.labels.map((label) => classes[label]!) };
  tellSingleClass(train, telling);
  const fitted = new Set(known.labels);
  const unseen = [...new Set(measured.labels)].filter((label) => !fitted.has(label));
  if (unseen.length > 0)
    tellFault(
      `${train.name}: ${counted(unseen.length, "class of the test images has", "classes of the test images have")} no training ` +
        `image (${some(unseen.map((label) => train.classes![label]!.folder))}), so that none of theirs counts as right. Fit on more images.`,
      telling,
    );
  const many = neighbours.filter((k) => k > known.labels.length);
  if (many.length > 0)
    tellFault(
      `${many.join(" and ")} neighbours were asked for, and there are ${counted(known.labels.length, "training image")}: all of them vote.`,
      telling,
    );
  onProgress?.({ phase: "classifiers", done: 0, total: 1 });
  const { head, regularization, converged } = await linearProbe(known, train.classes!.length, options);
  const predictions = await nearestNeighbours(known, measured, neighbours, options);
  return {
    linear: {
      accuracy: accuracyOf(predictLinear(head, measured), measured.labels),
      trainAccuracy: accuracyOf(predictLinear(head, known), known.labels),
      regularization,
      converged,
    },
    neighbours: neighbours.map((k, i) => ({ k, accuracy: accuracyOf(predictions[i]!, measured.labels) })),
    head,
    trainImages: known.labels.length,
    testImages: measured.labels.length,
    skipped,
    classes: train.classes!.length,
    warnings: telling.warnings,
  };
}

/** For each class of the test images, the training images' class of the same folder. */
function matchClasses(train: ImageSource, test: ImageSource): readonly number[] {
  for (const { name, classes } of [train, test])
    if (!classes) throw new UsageError(`${name}: a probe needs labelled images, one sub-folder a class.`);
  const [known, wanted] = [train.classes!, test.classes!].map((classes) => classes.map(({ folder }) => folder));
  return placesOf(wanted!, known!, (folder, places) =>
    places.length === 0
      ? `${test.name} has the class ${folder}, which ${train.name} has not: give training images of the same classes.`
      : `${train.name} has ${places.length} classes called ${folder}, and ${test.name} other classes than it: give them names of their own.`,
  );
}
