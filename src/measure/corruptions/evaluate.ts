import {
  severities as allSeverities,
  type Corruption,
  commonCorruptions,
  extraCorruptions,
  isCorruption,
  isSeverity,
  parametersFor,
  type Severity,
} from "../../corruptions/index.ts";
import { chooseImages, collecting, type ImageSource, type SkippedImage, type Telling } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import type { ZeroShotOptions } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import type { Corruptions } from "../../results/index.ts";
import type { CompileOptions } from "../../runtime/index.ts";
import type { Condition } from "./conditions.ts";
import { CorruptionCounts } from "./counts.ts";
import { measure, type Subject } from "./measure.ts";
import { summarised } from "./summary.ts";

export interface EvaluateCorruptionsOptions extends Pick<ZeroShotOptions, "cache">, Telling, CompileOptions {
  /** Prompt templates of a zero-shot classifier; see `imageClassifier`. */
  readonly templates?: readonly string[];
  /** Default: the fifteen of the mean corruption error. */
  readonly corruptions?: readonly Corruption[];
  /** Default: 1 to 5. */
  readonly severities?: readonly Severity[];
  /** Standard deviations of Gaussian noise, pixel units of [0, 1]. Default: `usualNoise`. */
  readonly noise?: readonly number[];
  /** Folder of the published frost textures; see `openFrost`. Without it frost is synthetic and not comparable with others. */
  readonly frost?: string;
  /** Images to use, taken class by class in turn. Default: all. */
  readonly limit?: number;
  /** Images a program takes at a time. Default 16. */
  readonly batch?: number;
  readonly seed?: number;
  /** One per encoder: saves counts, and continues where an earlier call with the same settings stopped. */
  readonly counts?: readonly (CorruptionCounts | undefined)[];
  /** Aborts the evaluation, which rejects with the signal's reason. Conditions counted until then stay in `counts`. */
  readonly signal?: AbortSignal;
  readonly onSkip?: (skip: SkippedImage) => void;
  /** @param phase `prompts`, or the condition under way; `done` and `total` count images over all conditions */
  readonly onProgress?: (progress: { readonly phase: string; readonly done: number; readonly total: number }) => void;
}

/** Standard deviations of the Gaussian noise that the paper's robustness to noise is shown at. */
export const usualNoise: readonly number[] = [0, 8, 16, 32, 64, 128].map((levels) => levels / 255);

/**
 * Accuracy of encoders, with their fixed heads or zero-shot classifiers, under common corruptions and Gaussian noise.
 * Corruptions are applied to images framed for each encoder; encoders of one framing see the same images. Images that
 * fit in a gigabyte are read once, otherwise once per condition. The same images, options and seed give the same numbers.
 *
 * @param encoders mean corruption errors are relative to the first
 * @throws UsageError when an encoder has nothing to classify with, the source no labels that fit it or no image that can
 *   be read, when a severity or corruption is unknown, or the frost textures are not where they should be
 */
export async function evaluateCorruptions(
  encoders: readonly Encoder[],
  source: ImageSource,
  options: EvaluateCorruptionsOptions = {},
): Promise<Corruptions> {
  const { corruptions = commonCorruptions, severities = allSeverities, noise = usualNoise } = options;
  checkMeasured(encoders, corruptions, severities, noise);
  const conditions: readonly Condition[] = [
    { kind: "clean" },
    ...corruptions.flatMap((corruption) =>
      severities.map((severity) => ({ kind: "corruption", corruption, severity }) as const),
    ),
    ...noise.filter((sigma) => sigma > 0).map((sigma) => ({ kind: "noise", sigma }) as const),
  ];
  const subjects = encoders.map(
    (encoder, i): Subject => ({ encoder, counts: options.counts?.[i] ?? CorruptionCounts.inMemory() }),
  );
  const telling = collecting(options);
  const order = chooseImages(source, { limit: options.limit, seed: options.seed ?? 0, ...telling });
  const sizes = [...new Set(encoders.map(({ imageSize }) => imageSize))];
  const framings = [...new Map(encoders.map(({ framing }) => [JSON.stringify(framing), framing])).values()];
  const perFraming = framings.map((framing) =>
    subjects.filter(({ encoder }) => JSON.stringify(encoder.framing) === JSON.stringify(framing)),
  );
  const open = perFraming.map((same) => conditions.filter((what) => same.some(({ counts }) => !counts.find(what))));
  const total = order.length * open.reduce((sum, { length }) => sum + length, 0);
  let done = 0;
  const onImages = (phase: string, images: number): void => {
    done += images;
    options.onProgress?.({ phase, done, total });
  };
  const onPrompts = (done: number, total: number): void => options.onProgress?.({ phase: "prompts", done, total });
  const work = { ...options, ...telling, order, onImages, onProgress: onPrompts };
  for (const [i, same] of perFraming.entries())
    if (open[i]!.length > 0) await measure(same, source, { ...work, conditions: open[i]! });
  const results = summarised(
    subjects.map(({ encoder: { name }, counts }) => ({ name, counts })),
    { corruptions, severities, noise },
  );
  const { images } = subjects[0]!.counts.find({ kind: "clean" })!;
  const drawn = corruptions.includes("frost") && options.frost === undefined;
  return {
    dataset: source.name,
    images,
    // Includes images that an earlier call could not read.
    skipped: order.length - images,
    classes: source.classes!.length,
    parameters: sizes.map(parametersName).join("; "),
    severities,
    extra: corruptions.filter((name) => (extraCorruptions as readonly string[]).includes(name)),
    encoders: results,
    warnings: drawn
      ? [
          ...telling.warnings,
          "Frost was drawn, not taken from the published textures: its row and the mean compare with no published figure.",
        ]
      : telling.warnings,
  };
}

function parametersName(size: number): string {
  const { name, size: own } = parametersFor(size);
  return own === size ? `${name} (${own} pixels)` : `${name} (for ${own} pixels, used at ${size})`;
}

function checkMeasured(
  encoders: readonly Encoder[],
  corruptions: readonly string[],
  severities: readonly number[],
  noise: readonly number[],
): void {
  if (encoders.length === 0) throw new UsageError("Corruptions are measured on at least one encoder.");
  if (corruptions.length > 0 && severities.length === 0)
    throw new UsageError("Corruptions need at least one severity, from 1 to 5.");
  const unknown = corruptions.find((name) => !isCorruption(name)) ?? severities.find((value) => !isSeverity(value));
  if (unknown !== undefined) throw new UsageError(`There is no corruption or severity ${unknown}.`);
  const outside = noise.find((sigma) => !(sigma >= 0 && sigma < Infinity));
  if (outside !== undefined)
    throw new UsageError(
      `Noise of standard deviation ${outside}: it must be a number from 0, in pixel units of [0, 1].`,
    );
}
