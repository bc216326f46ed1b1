import { type BatchOptions, type ImageBatch, type ImageSource, openBatches } from "../../data/index.ts";
import { framingOf } from "../../framing.ts";

/** Bytes of images that are held between iterations. */
const heldAtMost = 2 ** 30;

/**
 * Batches to iterate over again and again: held from the first iteration on where they fit, else read anew each time.
 * Files that cannot be read are reported the first time alone.
 */
export function repeatedBatches(source: ImageSource, options: BatchOptions): () => AsyncIterable<ImageBatch> {
  const holds = options.order.length * 3 * framingOf(options).size ** 2 * Float32Array.BYTES_PER_ELEMENT <= heldAtMost;
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
