import type { Apgd, Pgd } from "../attacks/index.ts";
import { balancedSubset, type ImageSource, openBatches, type SkippedImage } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { compileEmbedder } from "../evaluation/embed.ts";
import { usualBatch } from "../evaluation/forward.ts";
import { attackEmbeddings } from "../evaluation/index.ts";
import type { FidelityOf } from "../findings/index.ts";
import type { Encoder } from "../models/index.ts";
import { thresholds } from "../objectives/constraint.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { driftOf, squaredDistances } from "./drift.ts";
import { nearestOthers, overlap } from "./neighbours.ts";

export interface FidelityOptions extends CompileOptions {
  /** Allowed is d <= rho |phi0(x)|^marginExponent (paper, equation 5). Defaults 0.1 and 2. */
  readonly rho?: number;
  readonly marginExponent?: number;
  /** Moves embeddings away from the original's of the clean image; its loss is on embeddings. Default: clean images only. */
  readonly attack?: Pgd | Apgd;
  /** Images to use, taken class by class in turn. Default: all. */
  readonly limit?: number;
  /** Images a program takes at a time. Default 16. */
  readonly batch?: number;
  readonly seed?: number;
  readonly strict?: boolean;
  readonly signal?: AbortSignal;
  readonly onSkip?: (skip: SkippedImage) => void;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface MeasuredFidelity extends Omit<FidelityOf, "encoder"> {
  readonly images: number;
}

/** Images are read, embedded and attacked so many at a time; a multiple of any usual batch. */
const chunkSize = 128;
/** How many neighbours a list has. */
const neighbourCount = 10;
/** Of clean distance over what is allowed; beyond the last is open. */
const edges = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/**
 * How faithful an encoder's embeddings are to the original's: distances and cosines on clean and on attacked images, what
 * they are of what the constraint allows, and how many of an image's nearest neighbours (cosine, among the same images)
 * stay its neighbours. Attacked images search among clean ones, as in an index.
 *
 * @throws UsageError when the encoders take images, or give embeddings, of different sizes, or fewer than two images can
 *   be read
 */
export async function measureFidelity(
  original: Encoder,
  encoder: Encoder,
  source: ImageSource,
  options: FidelityOptions = {},
): Promise<MeasuredFidelity> {
  checkSame(original, encoder);
  const { rho = 0.1, marginExponent = 2 } = options;
  const size = original.embeddingSize;
  const { reference, clean, attacked } = await embeddings(original, encoder, source, options);
  const images = reference.length / size;
  if (images < 2) throw new UsageError(`${source.name}: fidelity needs at least two images that can be read.`);

  const allowed = thresholds({ kind: "relative", rho, exponent: marginExponent }, reference, size);
  const shares = squaredDistances(reference, clean, size).map((d, i) => d / allowed[i]!);
  const k = Math.min(neighbourCount, images - 1);
  const expected = nearestOthers(reference, reference, size, k);
  const kept = (queries: Float32Array): number => overlap(expected, nearestOthers(queries, clean, size, k));
  return {
    images,
    clean: driftOf(reference, clean, size),
    ...(attacked && { attacked: driftOf(reference, attacked, size) }),
    violationRate: shares.filter((share) => share > 1).length / images,
    histogram: { edges, counts: edges.map((edge, i) => countBetween(shares, edge, edges[i + 1] ?? Infinity)) },
    neighbours: { k, clean: kept(clean), ...(attacked && { attacked: kept(attacked) }) },
  };
}

function checkSame(original: Encoder, encoder: Encoder): void {
  if (original.embeddingSize === encoder.embeddingSize && original.imageSize === encoder.imageSize) return;
  const sizes = ({ name, imageSize, embeddingSize }: Encoder): string =>
    `${name} embeds ${imageSize}-pixel images into ${embeddingSize} numbers`;
  throw new UsageError(`${sizes(encoder)}, ${sizes(original)}: embeddings of different sizes do not compare.`);
}

interface Embeddings {
  /** [n, D]: the original's of clean images; the encoder's of clean and of attacked ones. */
  readonly reference: Float32Array;
  readonly clean: Float32Array;
  readonly attacked: Float32Array | undefined;
}

async function embeddings(
  original: Encoder,
  encoder: Encoder,
  source: ImageSource,
  options: FidelityOptions,
): Promise<Embeddings> {
  const { limit = source.items.length, batch = usualBatch, seed = 0, strict, attack, signal } = options;
  const order = balancedSubset(source, limit, seed);
  const compileOptions = { ...options, batch };
  const originals = await compileEmbedder(original, order.length, compileOptions);
  const ours = await compileEmbedder(encoder, order.length, compileOptions);
  const chunks: { reference: Float32Array; clean: Float32Array; attacked: Float32Array | undefined }[] = [];
  let done = 0;
  try {
    for await (const { pixels, count } of openBatches(source, {
      ...{ order, size: encoder.imageSize, batch: chunkSize },
      ...(strict && { strict }),
      ...(options.onSkip && { onSkip: options.onSkip }),
    })) {
      signal?.throwIfAborted();
      const { embeddings: reference } = await originals.run(pixels);
      const { embeddings: clean } = await ours.run(pixels);
      const goal = { kind: "away", reference } as const;
      const perturbed =
        attack && (await attackEmbeddings(encoder, pixels, { ...compileOptions, attack, goal, seed: seed + done }));
      const attacked = perturbed && (await ours.run(perturbed.perturbed)).embeddings;
      chunks.push({ reference, clean, attacked });
      done += count;
      options.onProgress?.(done, order.length);
    }
  } finally {
    await originals.dispose();
    await ours.dispose();
  }
  return {
    reference: joined(chunks.map(({ reference }) => reference)),
    clean: joined(chunks.map(({ clean }) => clean)),
    attacked: attack && joined(chunks.map(({ attacked }) => attacked!)),
  };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function countBetween(values: Float64Array, low: number, high: number): number {
  return values.filter((value) => value >= low && value < high).length;
}
