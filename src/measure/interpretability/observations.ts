import { type ImageBatch, type ImageSource, openBatches, Skips } from "../../data/index.ts";
import { defined } from "../../defined.ts";
import { Forward, frozenEmbedding, rowOf, usualBatch } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import { checkFinite } from "../../models/index.ts";
import { Flips } from "./flip.ts";
import { progressIn, type Settings } from "./options.ts";
import { gini, Saliency } from "./saliency.ts";
import type { Similarity } from "./similarity.ts";

/** Images processed at a time: enough to keep the flips' batch full, few enough for any memory. */
const chunkSize = 128;

/** Results of a pass over the images, in their order. */
export interface Seen {
  readonly labels: readonly number[];
  /** [images, D] */
  readonly embeddings: Float32Array;
  readonly sharpness: readonly number[];
  readonly flips: readonly (number | undefined)[];
  /** Names of the first few images. */
  readonly names: readonly string[];
  readonly images: readonly Float32Array[];
  readonly maps: readonly Float32Array[];
  /** Images that could not be read. */
  readonly skipped: number;
}

/**
 * Each image's embedding, saliency and smallest flip, in one pass over the images.
 *
 * @throws UsageError when none can be read, or the encoder's output is not finite
 */
export async function lookAtImages(
  encoder: Encoder,
  source: ImageSource,
  similarity: Similarity,
  options: Settings,
): Promise<Seen> {
  const { order, seed, signal, shown, strict } = options;
  const { imageSize, embeddingSize } = encoder;
  const batch = Math.min(options.batch ?? usualBatch, order.length);
  const onImages = progressIn("images", encoder, options);
  const embed = frozenEmbedding(encoder);
  const forward = await Forward.compile((x) => ({ embeddings: embed(x), values: similarity.values(x) }), {
    ...{ ...options, encoder: encoder.name, imageSize, batch },
    nonZero: similarity.kind === "cosine" ? ["embeddings"] : [],
  });
  const saliency = await Saliency.compile(similarity, { ...options, imageSize, batch });
  const flips = new Flips(similarity, { ...options, imageSize, batch });
  const seen = {
    labels: [] as number[],
    embeddings: new Float32Array(order.length * embeddingSize),
    sharpness: [] as number[],
    flips: [] as (number | undefined)[],
    names: [] as string[],
    images: [] as Float32Array[],
    maps: [] as Float32Array[],
  };
  const skips = new Skips(options.onSkip);
  let done = 0;
  const look = async ({ pixels, labels, indices, ids, count }: ImageBatch): Promise<void> => {
    const nameOf = (i: number): string => ids[i]!;
    const { values, embeddings } = await forward.run(pixels, nameOf);
    const maps = await saliency.maps(pixels, labels);
    checkFinite(maps, count, { encoder: encoder.name, what: "saliency map", nameOf });
    const predictions = Array.from({ length: count }, (_, i) => largestOf(rowOf(values, i, count)));
    seen.embeddings.set(embeddings, seen.labels.length * embeddingSize);
    for (let i = 0; i < count; i++) {
      const map = rowOf(maps, i, count);
      const label = labels[i]!;
      seen.labels.push(label);
      seen.sharpness.push(gini(map));
      if (seen.names.length >= shown) continue;
      seen.names.push(`${source.classes![label]!.name} (${ids[i]})`);
      seen.images.push(rowOf(pixels, i, count).slice());
      seen.maps.push(map.slice());
    }
    const onDone = (images: number): void => {
      done += images;
      onImages(done, order.length);
    };
    seen.flips.push(...(await flips.find({ pixels, predictions, keys: indices, seed, signal, onDone })));
  };
  try {
    const read = { framing: encoder.framing, batch: chunkSize, order, onSkip: skips.add, ...defined({ strict }) };
    for await (const images of openBatches(source, read)) {
      signal?.throwIfAborted();
      await look(images);
    }
  } finally {
    for (const program of [forward, saliency, flips]) await program.dispose();
  }
  const count = seen.labels.length;
  if (count === 0) throw skips.nothingRead(source);
  return { ...seen, embeddings: seen.embeddings.subarray(0, count * embeddingSize), skipped: skips.count };
}

function largestOf(row: Float32Array): number {
  return row.indexOf(Math.max(...row));
}
