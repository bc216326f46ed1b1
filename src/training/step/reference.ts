import { checkFinite, type Encoder } from "../../models/index.ts";
import type { Learner } from "../learners/learner.ts";
import { type Batch, type ImageRows, joined, type Part, partsOf, type Rows } from "./batch.ts";
import type { ReferenceCache } from "./reference-cache.ts";

/** Answers of the frozen original to clean images. */
export type OriginalRows = Rows & {
  /** [rows, D] */
  readonly original: Float32Array;
  /** [rows], entropies of class distributions in nats; present where the constraint is about classes. */
  readonly entropy?: Float32Array;
};

export interface ReferenceOptions {
  readonly learner: Learner;
  readonly encoder: Pick<Encoder, "name" | "embeddingSize">;
  readonly microBatch: number;
  readonly cache: ReferenceCache | undefined;
  readonly nameOf: (image: number) => string;
}

/**
 * Phase 1 of a step: original embeddings, computed or from the cache.
 *
 * @param images [count], the batch's images among those that the cache knows
 * @throws UsageError when an embedding is not finite, naming the image
 */
export async function reference(
  batch: Batch,
  images: readonly number[],
  options: ReferenceOptions,
): Promise<OriginalRows> {
  const { microBatch } = options;
  const found: OriginalRows[] = [];
  for (const part of partsOf(batch, batch.images, microBatch)) {
    found.push(await partReference(part, images.slice(part.start, part.start + part.count), options));
  }
  const entropies = found.flatMap(({ entropy }) => (entropy ? [entropy] : []));
  return {
    original: joined(
      batch,
      microBatch,
      found.map(({ original }) => original),
    ),
    ...(entropies.length > 0 && { entropy: joined(batch, microBatch, entropies) }),
  };
}

async function partReference(
  part: Part<ImageRows>,
  images: readonly number[],
  { learner, encoder, cache, nameOf }: ReferenceOptions,
): Promise<OriginalRows> {
  const known = cache?.load(part, images);
  if (known) return known;
  const rows = await learner.reference(part);
  checkFinite(rows.original.subarray(0, part.count * encoder.embeddingSize), part.count, {
    encoder: encoder.name,
    what: "embedding",
    nameOf: (i) => nameOf(images[i] ?? part.start + i),
  });
  cache?.keep(part, images, rows);
  return rows;
}
