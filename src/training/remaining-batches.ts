import { type ImageBatch, type ImageSource, openBatches, type SkippedImage, shuffled } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Framing } from "../framing.ts";
import type { Progress } from "./checkpoint.ts";

export interface RemainingOptions {
  /** Indices of the images that a pass goes over. */
  readonly subset: readonly number[];
  readonly epochs: number;
  readonly batch: number;
  /** The encoder's. */
  readonly framing: Framing;
  readonly seed: number;
  readonly strict?: boolean;
  readonly onSkip?: (skip: SkippedImage) => void;
}

/**
 * The remaining batches, each with the progress after it. The order of every epoch follows from the seed, so a run
 * resumed from a `Progress` sees exactly the images that it would have seen.
 *
 * @throws UsageError when an epoch had no readable image, or under `strict` when one cannot be read
 */
export async function* remainingBatches(
  source: ImageSource,
  options: RemainingOptions,
  from: Progress,
): AsyncGenerator<{ readonly images: ImageBatch; readonly after: Progress }, void, undefined> {
  const { subset, epochs, batch, framing, seed, strict, onSkip } = options;
  let at = from;
  while (at.epoch < epochs) {
    const { epoch } = at;
    const order = shuffled(subset, seed, epoch);
    const rest = order.slice(at.cursor);
    const offset = at.cursor;
    let last = -1;
    const open = { framing, batch, order: rest, ...(onSkip && { onSkip }), ...(strict && { strict }) };
    for await (const images of openBatches(source, open)) {
      last = rest.indexOf(images.indices.at(-1)!, last + 1);
      const done = { ...at, step: at.step + 1, images: at.images + images.count, cursor: offset + last + 1 };
      at = done.cursor === order.length ? nextEpoch(done) : done;
      yield { images, after: at };
    }
    // Unreadable images after the last batch leave the epoch open.
    if (at.epoch === epoch) at = nextEpoch(at);
    if (at.images === 0) throw new UsageError(`${source.name}: none of the images could be read.`);
  }
}

function nextEpoch(progress: Progress): Progress {
  return { ...progress, epoch: progress.epoch + 1, cursor: 0 };
}
