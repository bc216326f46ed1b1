import type { Attack } from "../../attacks/index.ts";
import { type ImageBatch, type ImageSource, openBatches, Skips } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import type { ClassifierOptions } from "../../inference/index.ts";
import { othersByLogit, Predictor, rowOf, victimOf } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import { Attacker } from "./attacker.ts";

/** One image before and after an attack. */
export interface AttackedExample {
  readonly id: string;
  /** [3, S, S] in [0, 1] */
  readonly clean: Float32Array;
  readonly perturbed: Float32Array;
  /** Names of classes. */
  readonly label: string;
  readonly predictedClean: string;
  readonly predictedPerturbed: string;
}

/**
 * Attacks some images of a labelled source and names the predicted classes, for pictures. Images that cannot be read are
 * left out.
 *
 * @param indices places in the source's items
 */
export async function attackedExamples(
  encoder: Encoder,
  source: ImageSource,
  attack: Attack,
  indices: readonly number[],
  options: ClassifierOptions & { readonly seed?: number } = {},
): Promise<readonly AttackedExample[]> {
  const victim = await victimOf(encoder, source, options);
  const { pixels, labels: codes, ids, indices: keys, count: batch } = await readAll(source, encoder, indices);
  const labels = Array.from(codes);

  const predictor = await Predictor.compile(victim, { ...options, batch });
  const attacker = new Attacker(victim, { ...options, batch });
  try {
    const before = await predictor.predict(pixels, labels, (i) => ids[i]!);
    const others = before.rows.map((row, i) => othersByLogit(row, labels[i]!));
    const { adversarial } = await attacker.run(attack, {
      clean: pixels,
      count: batch,
      keys,
      seed: options.seed ?? 0,
      labels,
      ids,
      classes: victim.classes,
      others: (i) => others[i]!,
      embeddings: before.embeddings,
    });
    const after = await predictor.predict(adversarial, labels, (i) => `${ids[i]}, perturbed`);
    const name = (index: number): string => source.classes![index]!.name;
    return ids.map((id, i) => ({
      id,
      clean: rowOf(pixels, i, batch),
      perturbed: rowOf(adversarial, i, batch),
      label: name(labels[i]!),
      predictedClean: name(before.classes[i]!),
      predictedPerturbed: name(after.classes[i]!),
    }));
  } finally {
    await predictor.dispose();
    await attacker.dispose();
  }
}

async function readAll(source: ImageSource, { framing }: Encoder, order: readonly number[]): Promise<ImageBatch> {
  if (order.length === 0) throw new UsageError(`${source.name}: no images were asked for.`);
  const skips = new Skips();
  for await (const images of openBatches(source, { framing, batch: order.length, order, onSkip: skips.add }))
    return images;
  throw skips.nothingRead(source);
}
