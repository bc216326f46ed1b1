import type { ImageBatch } from "../../data/index.ts";
import { othersByLogit, type Predictions, rowOf } from "../../inference/index.ts";

/** A correctly classified image, with what attacks need to know about it. */
export interface CorrectImage {
  /** [3, S, S] in [0, 1] */
  readonly pixels: Float32Array;
  readonly label: number;
  /** Position in the source. An attack's random numbers depend on it, whatever else is evaluated. */
  readonly index: number;
  readonly id: string;
  /** The other classes, the likeliest to the attacked encoder first. */
  readonly others: readonly number[];
  /** The attacked encoder's. */
  readonly embedding: Float32Array;
}

/**
 * The correctly classified images of a batch.
 *
 * @param attacked predictions of the attacked encoder, if it is another one
 */
export function correctImages(
  images: ImageBatch,
  predictions: Predictions,
  attacked: Predictions = predictions,
): readonly CorrectImage[] {
  const { pixels, labels, indices, ids, count } = images;
  const { logits, embeddings } = attacked;
  // Copies: the rest of the batch need not stay in memory for them.
  const row = (all: Float32Array, i: number): Float32Array => rowOf(all, i, count).slice();
  return indices.flatMap((index, i) => {
    const label = labels[i]!;
    if (predictions.classes[i] !== label) return [];
    const others = othersByLogit(row(logits, i), label);
    return [{ pixels: row(pixels, i), label, index, id: ids[i]!, others, embedding: row(embeddings, i) }];
  });
}

/** Rows one after the other. */
export function joined(rows: readonly Float32Array[]): Float32Array {
  const size = rows[0]?.length ?? 0;
  const all = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) all.set(row, i * size);
  return all;
}
