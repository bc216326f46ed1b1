import { createHash } from "node:crypto";
import type { EmbeddingAttack } from "../../attacks/index.ts";
import { type ImageSource, openBatches } from "../../data/index.ts";
import {
  compileEmbedder,
  defaultEmbeddingCache,
  EmbeddingCache,
  pixelsDigest,
  rowOf,
  usualBatch,
} from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import { encoderDigest } from "../../models/index.ts";
import type { CompileOptions } from "../../runtime/index.ts";
import { versions } from "../../version.ts";
import { attackEmbeddings } from "../embedding-attack/index.ts";

export interface AttackedOptions extends CompileOptions {
  readonly attack: EmbeddingAttack;
  /** Which images could be read: indices into the source's items. */
  readonly order: readonly number[];
  /** [n, D]: what embeddings are driven away from. */
  readonly reference: Float32Array;
  readonly batch?: number;
  readonly seed: number;
  /** Folder that keeps embeddings from one run to the next. Default: that of clean embeddings. */
  readonly cache?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Images attacked at a time: an interruption loses at most this many. */
const chunkSize = 128;

/**
 * Embeddings [n, D] of images perturbed to move them away from a reference. They are cached on disk under everything
 * they depend on, so that an interrupted measurement continues where it stopped.
 */
export async function attackedEmbeddings(
  encoder: Encoder,
  source: ImageSource,
  options: AttackedOptions,
): Promise<Float32Array> {
  const { attack, order, reference, seed, signal, batch = usualBatch, onProgress, ...compileOptions } = options;
  const size = encoder.embeddingSize;
  const all = new Float32Array(order.length * size);
  const cache = new EmbeddingCache(options.cache ?? defaultEmbeddingCache(), keyOf(encoder, options), size);
  const forward = await compileEmbedder(encoder, order.length, options);
  let done = 0;
  try {
    // Every image that was read once must be read again: otherwise rows would belong to other images.
    const read = { order, framing: encoder.framing, batch: chunkSize, strict: true };
    for await (const { pixels, count, ids } of openBatches(source, read)) {
      signal?.throwIfAborted();
      const digests = Array.from({ length: count }, (_, i) => pixelsDigest(rowOf(pixels, i, count)));
      const known = digests.map((digest) => cache.find(digest));
      if (known.every((row) => row !== undefined))
        for (const [i, row] of known.entries()) all.set(row, (done + i) * size);
      else {
        const goal = { kind: "away", reference: reference.subarray(done * size, (done + count) * size) } as const;
        const { perturbed } = await attackEmbeddings(encoder, pixels, {
          ...{ ...compileOptions, attack, goal, batch, seed: seed + done },
          nameOf: (i) => ids[i]!,
        });
        const { embeddings } = await forward.run(perturbed, (i) => `${ids[i]}, perturbed`);
        all.set(embeddings, done * size);
        for (const [i, digest] of digests.entries()) cache.add(digest, rowOf(embeddings, i, count));
        cache.save();
      }
      done += count;
      onProgress?.(done, order.length);
    }
  } finally {
    await forward.dispose();
  }
  return all;
}

/** Cache key. It includes the order: an image's random start, and so its perturbation, depends on its place. */
function keyOf(encoder: Encoder, options: AttackedOptions): string {
  const { attack, order, seed, reference, device, precision, threads, batch } = options;
  const { node: _, ...software } = versions();
  const settings = [encoderDigest(encoder), attack, order, seed, device, precision, threads, batch, software];
  return createHash("sha256").update(JSON.stringify(settings)).update(reference).digest("hex");
}
