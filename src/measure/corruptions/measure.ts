import { openFrost } from "../../corruptions/index.ts";
import { type ImageBatch, type ImageSource, type SkippedImage, Skips } from "../../data/index.ts";
import { formatEpsilon } from "../../epsilon.ts";
import type { ZeroShotOptions } from "../../inference/index.ts";
import { Predictor, usualBatch, victimOf } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import type { CompileOptions } from "../../runtime/index.ts";
import { type Condition, conditionName, underCondition } from "./conditions.ts";
import type { CorruptionCounts } from "./counts.ts";
import { repeatedBatches } from "./repeated-batches.ts";

/** An encoder with its counts. */
export interface Subject {
  readonly encoder: Encoder;
  readonly counts: CorruptionCounts;
}

export interface Work extends Omit<ZeroShotOptions, keyof CompileOptions>, CompileOptions {
  readonly conditions: readonly Condition[];
  /** Indices into the source's images. */
  readonly order: readonly number[];
  readonly templates?: readonly string[];
  readonly frost?: string;
  readonly batch?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onSkip?: (skip: SkippedImage) => void;
  readonly onImages: (phase: string, images: number) => void;
}

/** Counts for encoders of one framing, under conditions that some of them still lack. */
export async function measure(subjects: readonly Subject[], source: ImageSource, work: Work): Promise<void> {
  const { conditions, order, seed = 0, signal, onImages } = work;
  const { framing, imageSize: size } = subjects[0]!.encoder;
  const frosty = conditions.some((what) => what.kind === "corruption" && what.corruption === "frost");
  const frost = work.frost === undefined || !frosty ? undefined : await openFrost(work.frost, size);
  const batch = Math.min(work.batch ?? usualBatch, order.length);
  const skips = new Skips(work.onSkip);
  const read = repeatedBatches(source, {
    ...{ framing, batch, order },
    ...(work.strict && { strict: true }),
    onSkip: skips.add,
  });
  const predictors: Counting[] = [];
  try {
    for (const { encoder, counts } of subjects) {
      const victim = await victimOf(encoder, source, work);
      predictors.push({ predictor: await Predictor.compile(victim, { ...work, batch }), counts });
    }
    for (const condition of conditions) {
      const open = predictors.filter(({ counts }) => !counts.find(condition));
      const correct = open.map(() => 0);
      let images = 0;
      for await (const loaded of read()) {
        signal?.throwIfAborted();
        const pixels = await underCondition(condition, { ...loaded, size }, { seed, frost });
        for (const [i, counting] of open.entries())
          correct[i]! += await countCorrect(counting, loaded, pixels, titleOf(condition));
        images += loaded.count;
        onImages(titleOf(condition), loaded.count);
      }
      if (images === 0) throw skips.nothingRead(source);
      for (const [i, { counts }] of open.entries()) counts.add(condition, { images, correct: correct[i]! });
    }
  } finally {
    for (const { predictor } of predictors) await predictor.dispose();
  }
}

interface Counting {
  readonly predictor: Predictor;
  readonly counts: CorruptionCounts;
}

async function countCorrect(
  { predictor }: Counting,
  { labels, ids }: ImageBatch,
  pixels: Float32Array,
  condition: string,
): Promise<number> {
  const { classes } = await predictor.predict(pixels, Array.from(labels), (i) => `${ids[i]} (${condition})`);
  return classes.filter((found, i) => found === labels[i]).length;
}

function titleOf(condition: Condition): string {
  return condition.kind === "noise" ? `noise ${formatEpsilon(condition.sigma)}` : conditionName(condition);
}
