import { ascentGraph, ascentSpec, misclassification, type Pgd, runPgd } from "../attacks/index.ts";
import { type ImageBatch, type ImageSource, openBatches } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { Graph } from "../graph/index.ts";
import type { Encoder } from "../models/encoder.ts";
import { compile } from "../runtime/index.ts";
import { type ClassifierOptions, imageClassifier } from "./classes.ts";

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
 * Attacks some images of a labelled source and names what the encoder makes of them, for pictures.
 *
 * @param indices which of the source's items
 */
export async function attackedExamples(
  encoder: Encoder,
  source: ImageSource,
  attack: Pgd,
  indices: readonly number[],
  options: ClassifierOptions & { readonly seed?: number } = {},
): Promise<readonly AttackedExample[]> {
  const { imageSize } = encoder;
  const { logits } = await imageClassifier(encoder, source, options);
  const batch = indices.length;
  const { pixels, labels, ids } = await readAll(source, imageSize, indices);

  const target = misclassification(logits);
  const ascent = await compile(ascentGraph(ascentSpec(attack, batch, imageSize), target), options);
  const outcome = await runPgd(ascent, attack, {
    clean: pixels,
    count: batch,
    keys: indices,
    rows: { labels: BigInt64Array.from(labels, BigInt) },
    shared: {},
    seed: options.seed ?? 0,
  });
  await ascent.dispose();

  const g = new Graph();
  const prediction = g.argMax(logits(g.input("pixels", "float32", [batch, 3, imageSize, imageSize])), 1);
  const predictor = await compile({ prediction }, options);
  const predict = async (input: Float32Array): Promise<readonly number[]> =>
    Array.from((await predictor.run({ pixels: input })).prediction as BigInt64Array, Number);
  const [before, after] = [await predict(pixels), await predict(outcome.adversarial)];
  await predictor.dispose();

  const length = pixels.length / batch;
  const name = (index: number): string => source.classes![index]!.name;
  return ids.map((id, i) => ({
    id,
    clean: pixels.subarray(i * length, (i + 1) * length),
    perturbed: outcome.adversarial.subarray(i * length, (i + 1) * length),
    label: name(labels[i]!),
    predictedClean: name(before[i]!),
    predictedPerturbed: name(after[i]!),
  }));
}

async function readAll(source: ImageSource, size: number, order: readonly number[]): Promise<ImageBatch> {
  for await (const images of openBatches(source, { size, batch: order.length, order, strict: true })) return images;
  throw new UsageError(`${source.name}: no images were asked for.`);
}
