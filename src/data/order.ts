import { UsageError } from "../errors.ts";
import { randomStream, shuffle } from "../random.ts";
import { counted } from "../words.ts";
import { type Telling, tellFault, tellRemarks } from "./remarks.ts";
import type { ImageSource } from "./source.ts";

/** Selects the images of a measurement, and how its faults are handled. */
export interface Choice extends Telling {
  /** Images to use, taken class by class in turn. Default: all. */
  readonly limit?: number | undefined;
  /** Images to leave out first, in that order. Default 0. */
  readonly offset?: number;
  readonly seed: number;
}

/**
 * The images of a measurement or a training: a balanced subset. Every measurement selects its images here, so that the
 * source's omissions, and a limit above its number of images, are reported.
 *
 * @returns Indices into `source.items`.
 * @throws {UsageError} under `strict` when there is something to tell; when the limit is out of range.
 */
export function chooseImages(
  source: ImageSource,
  { limit = Infinity, offset = 0, seed, ...telling }: Choice,
): number[] {
  const { name, items } = source;
  tellRemarks(source, "fault", telling);
  const chosen = balancedSubset(source, offset + limit, seed).slice(offset);
  if (chosen.length === 0)
    throw new UsageError(`${name} has ${items.length} images: none is left behind an offset of ${offset}.`);
  if (limit < Infinity && offset + limit > items.length) {
    const behind = offset > 0 ? ` behind an offset of ${offset}` : "";
    tellFault(
      `${counted(limit, "image was", "images were")} asked for${behind}, and ${name} has ${items.length}.`,
      telling,
    );
  }
  return chosen;
}

/**
 * At most `limit` images, chosen so that a small limit is balanced: the classes take turns, each giving its images in a
 * seeded order. Any prefix of the result is as balanced as the data allow, and a smaller limit gives a prefix of a
 * larger one. Images without a label take part as one more class; a source without labels gives a seeded sample.
 *
 * @param limit At least 1; more than there are images (or `Infinity`) means all of them.
 * @param seed The same data, limit and seed give the same images.
 * @returns Indices into `source.items`.
 * @throws {UsageError} when the limit is less than 1 or no whole number.
 */
export function balancedSubset(source: ImageSource, limit: number, seed: number): number[] {
  if (!(limit >= 1) || (Number.isFinite(limit) && !Number.isInteger(limit))) {
    throw new UsageError(`Limit ${limit}: must be a whole number of images, at least 1.`);
  }
  const classes = new Map<number, number[]>();
  source.items.forEach(({ label = -1 }, index) => {
    const members = classes.get(label);
    if (members === undefined) classes.set(label, [index]);
    else members.push(index);
  });
  const queues = [...classes]
    .sort(([a], [b]) => a - b)
    .map(([label, members]) => shuffle(members, randomStream("subset", seed, label)));
  const rounds = queues.reduce((most, queue) => Math.max(most, queue.length), 0);
  const chosen: number[] = [];
  for (let round = 0; round < rounds && chosen.length < limit; round++) {
    for (const queue of queues) if (round < queue.length) chosen.push(queue[round]!);
  }
  return chosen.slice(0, limit);
}

/**
 * The same indices in a random order of their own for each epoch.
 *
 * @param epoch Counts from 0; the order depends on (seed, epoch) and the indices only.
 */
export function shuffled(indices: readonly number[], seed: number, epoch: number): number[] {
  return shuffle(indices, randomStream("epoch", seed, epoch));
}
