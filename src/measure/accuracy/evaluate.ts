import type { Attack, AutoAttack } from "../../attacks/index.ts";
import {
  chooseImages,
  collecting,
  type ImageBatch,
  type ImageSource,
  openBatches,
  type SkippedImage,
  Skips,
  type Telling,
} from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { describeFraming, sameFraming } from "../../framing.ts";
import type { ZeroShotOptions } from "../../inference/index.ts";
import { type Predictions, Predictor, usualBatch, victimOf } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import type { Evaluation } from "../../results/index.ts";
import type { CompileOptions } from "../../runtime/index.ts";
import { Attacker } from "./attacker.ts";
import { encoderWarnings } from "./checks.ts";
import { type CorrectImage, correctImages } from "./chunk.ts";
import type { ImageRecord, ResultsFolder } from "./image-records.ts";
import { Measurement } from "./measurement.ts";

export interface EvaluateOptions extends Pick<ZeroShotOptions, "cache">, Telling, CompileOptions {
  /** Prompt templates of a zero-shot classifier; see `imageClassifier`. */
  readonly templates?: readonly string[];
  /** Attacks to measure, each at its own epsilon. Default: clean accuracy only. */
  readonly attacks?: readonly (Attack | AutoAttack)[];
  /** Make the attacks on this encoder instead (transfer), over the same classes; both take images of one size. */
  readonly surrogate?: Encoder;
  /** Round adversarial images to the 256 levels of an image file as they are searched for. */
  readonly quantize?: boolean;
  /** Images to use, taken class by class in turn. Default: all. */
  readonly limit?: number;
  /** Images to skip first, in that order, so that choices made on some are reported on others. Default 0. */
  readonly offset?: number;
  /** Images a program takes at a time. Default 16. */
  readonly batch?: number;
  readonly seed?: number;
  /** Take images as they are; those of another size than the encoder's count as unreadable. See `atNativeResolution`. */
  readonly exact?: boolean;
  /** Throw instead of leaving anything out, and wherever the numbers would be misleading. */
  readonly strict?: boolean;
  /** Records every image, and continues where an earlier call with the same settings stopped. */
  readonly results?: ResultsFolder;
  /** Aborts the evaluation, which rejects with the signal's reason. Results until then stay in `results`. */
  readonly signal?: AbortSignal;
  readonly onSkip?: (skip: SkippedImage) => void;
  /** Called at the end with the correctly classified images, to compare encoders image by image. */
  readonly onOutcomes?: (outcomes: Outcomes) => void;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}

/** Images that an encoder classified correctly, by their places in the source. */
export interface Outcomes {
  readonly clean: ReadonlySet<number>;
  /** One set per attack, in their order. */
  readonly attacks: readonly ReadonlySet<number>[];
}

export interface EvaluationProgress {
  /** `prompts`, `clean`, or the attack with its epsilon. */
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  /** Points evaluated so far for the current images. The count grows long before the first image is done. */
  readonly points?: number;
}

/** Images attacked at a time: enough to keep batches full, few enough for any memory. */
const chunkSize = 512;

/**
 * Accuracy of an encoder with its fixed head or its zero-shot classifier, clean and under attack. Attacks run on images
 * that are classified correctly clean; the others count as broken. The same images, attacks and seed give the same
 * numbers.
 *
 * @throws UsageError when the encoder has nothing to classify with, or the source no labels that fit it; when an attack
 *   needs more classes than there are, or the surrogate takes images of another size; when what the encoder gives is not
 *   finite; under `strict` when anything is left out
 *
 * @example
 * ```ts
 * import { autoAttack, evaluate, imageFolder, loadEncoder } from "lore-vision";
 *
 * const encoder = await loadEncoder("openai/clip-vit-base-patch32");
 * const { clean, attacks } = await evaluate(encoder, imageFolder("pets"), {
 *   attacks: [autoAttack({ epsilon: 4 / 255 })],
 *   limit: 500,
 * });
 * console.log(clean, attacks[0]?.accuracy); // shares of all images
 * ```
 */
export async function evaluate(
  encoder: Encoder,
  source: ImageSource,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { limit, offset = 0, seed = 0, surrogate, results, signal, onProgress } = options;
  const telling = collecting(options);
  const order = chooseImages(source, { limit, offset, seed, ...telling });
  const total = order.length;
  const onPrompts = (done: number, total: number): void => onProgress?.({ phase: "prompts", done, total });
  const classifying = { ...options, ...telling, onProgress: onPrompts };
  const victim = await victimOf(encoder, source, classifying);
  const attacked = surrogate ? await victimOf(surrogate, source, classifying) : victim;
  if (attacked.imageSize !== victim.imageSize) {
    throw new UsageError(
      `${surrogate!.name} takes ${attacked.imageSize}-pixel images, ${encoder.name} ${victim.imageSize}-pixel ones: ` +
        "an image made on the one does not fit the other. Give both the same --image-size.",
    );
  }
  const { classes } = victim;
  const batch = Math.min(options.batch ?? usualBatch, total);
  const predictor = await Predictor.compile(victim, { ...options, batch });
  const transfer = surrogate !== undefined;
  const attackedPredictor = transfer ? await Predictor.compile(attacked, { ...options, batch }) : predictor;
  const attacker = new Attacker(attacked, { ...options, batch, relentless: transfer });

  let images = 0;
  const rightClean = new Set<number>();
  let chunk: CorrectImage[] = [];
  const measurements = (options.attacks ?? []).map(
    (what) =>
      new Measurement(what, {
        ...{ predictor, attacker, classes, seed, transfer, results, signal, quantize: options.quantize ?? false },
        telling,
        onProgress: (phase, done, points) => onProgress?.({ phase, done: images - chunk.length + done, total, points }),
      }),
  );
  if (results) checkDistinct(measurements);
  const attackChunk = async (): Promise<void> => {
    for (const measurement of measurements) await measurement.add(chunk);
    chunk = [];
  };
  const warnings: string[] = surrogate && !options.exact ? framingWarnings(encoder, surrogate) : [];
  const skips = new Skips(options.onSkip);
  try {
    for await (const loaded of openBatches(source, {
      ...(options.strict && { strict: true }),
      ...(options.exact ? { size: victim.imageSize, exact: true } : { framing: encoder.framing }),
      onSkip: skips.add,
      batch,
      order,
    })) {
      signal?.throwIfAborted();
      const labels = Array.from(loaded.labels);
      const nameOf = (i: number): string => loaded.ids[i]!;
      const predictions = await predictor.predict(loaded.pixels, labels, nameOf);
      if (images === 0)
        warnings.push(
          ...(await encoderWarnings(loaded, predictions, { predictor, attacker, measured: options.attacks ?? [] })),
        );
      results?.add(cleanRecords(loaded, predictions));
      const seen = transfer ? await attackedPredictor.predict(loaded.pixels, labels, nameOf) : predictions;
      const right = correctImages(loaded, predictions, seen);
      images += loaded.count;
      for (const { index } of right) rightClean.add(index);
      chunk.push(...right);
      onProgress?.({ phase: "clean", done: images, total });
      if (chunk.length >= chunkSize) await attackChunk();
    }
    if (chunk.length > 0) await attackChunk();
  } finally {
    for (const program of new Set([predictor, attackedPredictor, attacker])) await program.dispose();
  }
  if (images === 0) throw skips.nothingRead(source);
  const measured = measurements.map((measurement) => measurement.result(images));
  options.onOutcomes?.({ clean: rightClean, attacks: measurements.map(({ withstood }) => new Set(withstood)) });
  return {
    encoder: encoder.name,
    dataset: source.name,
    images,
    skipped: skips.count,
    classes,
    clean: rightClean.size / images,
    attacks: measured.map(({ warnings: _, ...result }) => result),
    warnings: [...new Set([...telling.warnings, ...warnings, ...measured.flatMap((result) => result.warnings)])],
  };
}

/** Both see the same pixels, which are framed as the attacked encoder takes them. */
function framingWarnings(encoder: Encoder, surrogate: Encoder): string[] {
  if (sameFraming(encoder.framing, surrogate.framing)) return [];
  const [own, other] = [encoder.framing, surrogate.framing].map(describeFraming);
  return [
    `${surrogate.name} is made for images that are framed otherwise (${other}) than for ${encoder.name} (${own}).`,
  ];
}

function cleanRecords(images: ImageBatch, { classes, margins }: Predictions): readonly ImageRecord[] {
  return images.indices.map((index, i) => ({
    index,
    id: images.ids[i]!,
    label: images.labels[i]!,
    measurement: "clean",
    attack: "clean",
    prediction: classes[i]!,
    margin: margins[i]!,
    broken: classes[i] !== images.labels[i],
  }));
}

/** Results are kept by attack, norm and epsilon. */
function checkDistinct(measurements: readonly Measurement[]): void {
  const names = measurements.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) {
    throw new UsageError(
      `Two of the attacks would both keep their results as "${twice}": they differ only in other settings, or in epsilon ` +
        "beyond four digits. Measure them one by one, each with a results folder of its own.",
    );
  }
}
