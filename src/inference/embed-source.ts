import { createHash } from "node:crypto";
import {
  type ImageBatch,
  type ImageSource,
  openBatches,
  type SkippedImage,
  Skips,
  type Telling,
  tellRemarks,
} from "../data/index.ts";
import type { Encoder } from "../models/index.ts";
import { checkFinite, encoderDigest } from "../models/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { versions } from "../version.ts";
import { defaultEmbeddingCache, EmbeddingCache, pixelsDigest } from "./cache.ts";
import { compileEmbedder } from "./embed.ts";
import { type Forward, usualBatch } from "./forward.ts";

export interface EmbedSourceOptions extends CompileOptions, Telling {
  /** Which images, in which order: indices into `source.items`. Default: all. */
  readonly order?: readonly number[];
  /** Images a program takes at a time. Default 16. */
  readonly batch?: number;
  /** Folder that keeps embeddings from one run to the next. Default: `lore-vision/embeddings` in the user's cache. */
  readonly cache?: string;
  /** Throw for files that are not images, and for anything the source leaves out, instead of skipping them. Default false. */
  readonly strict?: boolean;
  /** Aborts the work, which rejects with the signal's reason. Embeddings computed until then stay in the cache. */
  readonly signal?: AbortSignal;
  /** `done` and `total` count images. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly onSkip?: (skip: SkippedImage) => void;
}

/** The images of a source that could be read, in the order asked for. */
export interface SourceEmbeddings {
  /** Un-normalised, [n, embeddingSize], row-major. */
  readonly embeddings: Float32Array;
  /** [n]: index into the source's classes, -1 where an image has no label. */
  readonly labels: Int32Array;
  /** [n]: places in `source.items`. */
  readonly indices: readonly number[];
  readonly ids: readonly string[];
  /** Images that could not be read. */
  readonly skipped: number;
}

/**
 * Embeddings of a source's images. They are cached on disk under everything that they depend on, including the encoder
 * and each image's pixels. Images embedded before are only read; a changed file is embedded anew. Cached embeddings
 * equal computed ones to the last bit.
 *
 * @throws UsageError when an index of the order is none of the source's, no image can be read, or under `strict` one; when
 * an embedding is not finite
 */
export async function embedSource(
  encoder: Encoder,
  source: ImageSource,
  options: EmbedSourceOptions = {},
): Promise<SourceEmbeddings> {
  const { order = source.items.map((_, i) => i), batch = usualBatch, cache: folder, signal } = options;
  const { strict = false, onProgress } = options;
  tellRemarks(source, "fault", options);
  const skips = new Skips(options.onSkip);
  const cache = new EmbeddingCache(folder ?? defaultEmbeddingCache(), keyOf(encoder, options), encoder.embeddingSize);
  const batches = openBatches(source, { order, batch, framing: encoder.framing, strict, onSkip: skips.add });
  const parts: (ImageBatch & { readonly embeddings: Float32Array })[] = [];
  let forward: Forward<"embeddings"> | undefined;
  const embed = async (pixels: Float32Array, ids: readonly string[]): Promise<Float32Array> => {
    // The batch is in the cache's key, so it must not shrink with the number of images.
    forward ??= await compileEmbedder(encoder, batch, options);
    return (await forward.run(pixels, (i) => ids[i]!)).embeddings;
  };
  let done = 0;
  try {
    for await (const images of batches) {
      signal?.throwIfAborted();
      const embeddings = await throughCache(cache, images, encoder, embed);
      parts.push({ ...images, pixels: new Float32Array(0), embeddings });
      done += images.count;
      onProgress?.({ done, total: order.length });
    }
  } finally {
    cache.save();
    await forward?.dispose();
  }
  if (done === 0) throw skips.nothingRead(source);
  return { ...joined(parts, encoder.embeddingSize), skipped: skips.count };
}

/** Embeddings [count, D] of a batch, of which only unknown images are computed. */
async function throughCache(
  cache: EmbeddingCache,
  { pixels, count, ids }: ImageBatch,
  { name, embeddingSize: size }: Encoder,
  embed: (pixels: Float32Array, ids: readonly string[]) => Promise<Float32Array>,
): Promise<Float32Array> {
  const length = pixels.length / count;
  const images = Array.from({ length: count }, (_, i) => pixels.subarray(i * length, (i + 1) * length));
  const digests = images.map(pixelsDigest);
  const found = digests.map((digest) => cache.find(digest));
  const unknown = found.flatMap((embedding, i) => (embedding ? [] : [i]));
  const result = new Float32Array(count * size);
  for (const [i, embedding] of found.entries()) if (embedding) result.set(embedding, i * size);
  // Embeddings cached by earlier versions were not checked.
  checkFinite(result, count, { encoder: name, what: "embedding", nameOf: (i) => ids[i]! });
  if (unknown.length === 0) return result;
  const wanted = new Float32Array(unknown.length * length);
  for (const [place, i] of unknown.entries()) wanted.set(images[i]!, place * length);
  const computed = await embed(
    wanted,
    unknown.map((i) => ids[i]!),
  );
  for (const [place, i] of unknown.entries()) {
    const embedding = computed.subarray(place * size, (place + 1) * size);
    result.set(embedding, i * size);
    cache.add(digests[i]!, embedding);
  }
  return result;
}

/** Cache key: everything that embeddings depend on besides pixels. Rounding depends on the program, too. */
function keyOf(encoder: Encoder, { device, precision, threads, batch = usualBatch }: EmbedSourceOptions): string {
  const { node: _, ...software } = versions();
  const settings = [encoderDigest(encoder), device ?? "cpu", precision ?? "float32", threads ?? 0, batch, software];
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex");
}

function joined(
  parts: readonly (ImageBatch & { readonly embeddings: Float32Array })[],
  size: number,
): Omit<SourceEmbeddings, "skipped"> {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const embeddings = new Float32Array(count * size);
  const labels = new Int32Array(count);
  let at = 0;
  for (const part of parts) {
    embeddings.set(part.embeddings, at * size);
    labels.set(part.labels, at);
    at += part.count;
  }
  return { embeddings, labels, indices: parts.flatMap((part) => part.indices), ids: parts.flatMap((part) => part.ids) };
}
