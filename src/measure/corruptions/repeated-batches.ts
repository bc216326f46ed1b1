import { type BatchOptions, type ImageBatch, type ImageSource, openBatches } from "../../data/index.ts";
import { framingOf } from "../../framing.ts";

/** Bytes of images that are held between iterations. */
const maxHeldBytes = 2 ** 30;

/**
 * Batches that can be iterated repeatedly. They are held in memory after the first iteration if they fit, else read anew
 * each time. Unreadable files are reported only the first time.
 */
export function repeatedBatches(source: ImageSource, options: BatchOptions): () => AsyncIterable<ImageBatch> {
  const holds =
    options.order.length * 3 * framingOf(options).size ** 2 * Float32Array.BYTES_PER_ELEMENT <= maxHeldBytes;
  let held: readonly ImageBatch[] | undefined;
  const reported = new Set<string>();
  return async function* () {
    if (held) return yield* held;
    const batches: ImageBatch[] = [];
    const onSkip: BatchOptions["onSkip"] = (skip) => {
      if (!reported.has(skip.id)) options.onSkip?.(skip);
      reported.add(skip.id);
    };
    for await (const batch of openBatches(source, { ...options, onSkip })) {
      if (holds) batches.push(batch);
      yield batch;
    }
    if (holds) held = batches;
  };
}
