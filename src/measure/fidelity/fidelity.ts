import type { EmbeddingAttack } from "../../attacks/index.ts";
import {
  chooseImages,
  collecting,
  type ImageSource,
  type SkippedImage,
  type Telling,
  tellFault,
} from "../../data/index.ts";
import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { describeFraming, sameFraming } from "../../framing.ts";
import { embedSource, nearestOthers, overlap, zeroShotClassifier } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import { checkFinite, checkNonZero } from "../../models/index.ts";
import { thresholds } from "../../objectives/index.ts";
import type { FidelityOf } from "../../results/index.ts";
import type { CompileOptions } from "../../runtime/index.ts";
import { attackedEmbeddings } from "./attacked.ts";
import { driftOf, squaredDistances } from "./drift.ts";
import { recallAt } from "./recall.ts";

export interface FidelityOptions extends CompileOptions, Telling {
  /** Allowed is d <= rho |phi0(x)|^marginExponent (paper, equation 5). Defaults 0.1 and 2. */
  readonly rho?: number;
  readonly marginExponent?: number;
  /** Moves embeddings away from the original's of the clean image; its loss is on embeddings. Default: clean images only. */
  readonly attack?: EmbeddingAttack;
  /** Captions of images, by their places in the source's items: for text-to-image recall. Default: none. */
  readonly captions?: ReadonlyMap<number, readonly string[]>;
  /** Images to use, taken class by class in turn. Default: all. */
  readonly limit?: number;
  /** Images a program takes at a time. Default 16. */
  readonly batch?: number;
  readonly seed?: number;
  /** Folder that keeps embeddings from one run to the next. Default: `lore-vision/embeddings` in the user's cache. */
  readonly cache?: string;
  readonly signal?: AbortSignal;
  readonly onSkip?: (skip: SkippedImage) => void;
  readonly onProgress?: (progress: {
    readonly phase: "original" | "clean" | "attacked" | "captions";
    readonly done: number;
    readonly total: number;
  }) => void;
}

export interface MeasuredFidelity extends Omit<FidelityOf, "encoder"> {
  readonly images: number;
  /** Images that could not be read. */
  readonly skipped: number;
  /** Reasons not to trust these numbers. */
  readonly warnings: readonly string[];
}

/** Neighbours in a list. */
const neighbourCount = 10;
/** Values of k at which text-to-image recall is measured. */
const recallCounts = [1, 5, 10];
/** Edges of the histogram of clean distance over allowed distance; the last bin is open-ended. */
const edges = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/**
 * Measures how faithful an encoder's embeddings are to the original's: distances and cosines on clean and on attacked
 * images, distances relative to what the constraint allows, and the share of an image's nearest neighbours (cosine,
 * among the same images) that stay its neighbours. Attacked images search among clean ones, as in an index. With
 * captions, also the share of captions whose image is among the nearest to the caption's embedding, with all images
 * clean or all attacked. Embeddings are cached on disk, so that an interrupted measurement continues where it stopped.
 *
 * @throws UsageError when the encoders take images, or give embeddings, of different sizes, when fewer than two images can be
 *   read, or when there are captions and no text tower; when an embedding is not finite, or zero, so that it has no cosine
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
  const telling = collecting(options);
  const { reference, clean, attacked, indices, skipped } = await embeddings(original, encoder, source, {
    ...options,
    ...telling,
  });
  const images = reference.length / size;
  if (images < 2) throw new UsageError(`${source.name}: fidelity needs at least two images that can be read.`);

  const allowed = thresholds({ kind: "relative", rho, exponent: marginExponent }, reference, size);
  const shares = squaredDistances(reference, clean, size).map((d, i) => d / allowed[i]!);
  const k = Math.min(neighbourCount, images - 1);
  const expected = nearestOthers(reference, reference, size, k);
  const kept = (queries: Float32Array): number => overlap(expected, nearestOthers(queries, clean, size, k));
  const recall = await recallOf(encoder, { clean, attacked, indices }, { ...options, ...telling });
  return {
    images,
    skipped,
    warnings: telling.warnings,
    clean: driftOf(reference, clean, size),
    ...(attacked && { attacked: driftOf(reference, attacked, size) }),
    violationRate: shares.filter((share) => share > 1).length / images,
    histogram: { edges, counts: edges.map((edge, i) => countBetween(shares, edge, edges[i + 1] ?? Infinity)) },
    neighbours: { k, clean: kept(clean), ...(attacked && { attacked: kept(attacked) }) },
    ...defined({ recall }),
  };
}

function checkSame(original: Encoder, encoder: Encoder): void {
  if (original.embeddingSize === encoder.embeddingSize && original.imageSize === encoder.imageSize) {
    if (sameFraming(original.framing, encoder.framing)) return;
    const framed = ({ name, framing }: Encoder): string => `${name} is made for images so: ${describeFraming(framing)}`;
    throw new UsageError(`${framed(encoder)}; ${framed(original)}: embeddings of different pixels do not compare.`);
  }
  const sizes = ({ name, imageSize, embeddingSize }: Encoder): string =>
    `${name} embeds ${imageSize}-pixel images into ${embeddingSize} numbers`;
  throw new UsageError(`${sizes(encoder)}, ${sizes(original)}: embeddings of different sizes do not compare.`);
}

interface Embeddings {
  /** [n, D]: the original's of clean images; the encoder's of clean and of attacked ones. */
  readonly reference: Float32Array;
  readonly clean: Float32Array;
  readonly attacked: Float32Array | undefined;
  /** [n]: places in the source's items. */
  readonly indices: readonly number[];
  readonly skipped: number;
}

async function embeddings(
  original: Encoder,
  encoder: Encoder,
  source: ImageSource,
  options: FidelityOptions,
): Promise<Embeddings> {
  const { limit, seed = 0, attack, onProgress, onSkip, ...rest } = options;
  const { strict, onWarning } = options;
  const order = chooseImages(source, { limit, seed, ...defined({ strict, onWarning }) });
  const {
    embeddings: reference,
    indices,
    ids,
    skipped,
  } = await embedSource(original, source, {
    ...{ ...rest, order },
    ...defined({ onSkip }),
    onProgress: (progress) => onProgress?.({ phase: "original", ...progress }),
  });
  // Every image that was read once must be read again: otherwise rows would belong to other images.
  const told = { ...source, remarks: [] };
  const { embeddings: clean } = await embedSource(encoder, told, {
    ...{ ...rest, order: indices, strict: true },
    onProgress: (progress) => onProgress?.({ phase: "clean", ...progress }),
  });
  const attacked =
    attack &&
    (await attackedEmbeddings(encoder, source, {
      ...{ ...rest, attack, order: indices, reference, seed },
      onProgress: (done, total) => onProgress?.({ phase: "attacked", done, total }),
    }));
  for (const [rows, { name }, how] of [
    [reference, original, ""],
    [clean, encoder, ""],
    [attacked ?? new Float32Array(0), encoder, ", perturbed"],
  ] as const) {
    const count = rows.length === 0 ? 0 : ids.length;
    const of = { encoder: name, what: "embedding", nameOf: (i: number) => `${ids[i]}${how}` };
    checkFinite(rows, count, of);
    checkNonZero(rows, count, of);
  }
  return { reference, clean, attacked, indices, skipped };
}

async function recallOf(
  encoder: Encoder,
  { clean, attacked, indices }: Omit<Embeddings, "reference" | "skipped">,
  { captions, onProgress, ...options }: FidelityOptions,
): Promise<FidelityOf["recall"]> {
  if (!captions) return undefined;
  const pairs = indices.flatMap((image, row) => (captions.get(image) ?? []).map((caption) => [caption, row] as const));
  if (pairs.length === 0) throw new UsageError("None of the images that are measured has a caption.");
  const trivial = recallCounts.filter((k) => k >= indices.length);
  if (trivial.length > 0)
    tellFault(
      `Recall at ${trivial.join(" and ")} is 100 % whatever the encoder does: there are ${indices.length} images.`,
      options,
    );
  const { weight } = await zeroShotClassifier(
    encoder,
    pairs.map(([caption]) => caption),
    ["{}"],
    { ...options, onProgress: (done, total) => onProgress?.({ phase: "captions", done, total }) },
  );
  const texts = { texts: weight.data, owners: pairs.map(([, row]) => row) };
  const at = (images: Float32Array): readonly number[] => recallAt(texts, images, encoder.embeddingSize, recallCounts);
  const [found, under] = [at(clean), attacked && at(attacked)];
  return recallCounts.map((k, i) => ({ k, clean: found[i]!, ...(under && { attacked: under[i]! }) }));
}

function countBetween(values: Float64Array, low: number, high: number): number {
  return values.filter((value) => value >= low && value < high).length;
}
