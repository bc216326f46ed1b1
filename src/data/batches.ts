import { UsageError } from "../errors.ts";
import { framingOf, type ImageForm } from "../framing.ts";
import type { ReadReply } from "./batch-worker.ts";
import { describeLocation, type ImageSource } from "./source.ts";
import { WorkerPool } from "./worker-pool.ts";

/** Images as a model takes them. The arrays belong to whoever receives the batch. */
export interface ImageBatch {
  /** float32 [count, 3, size, size]: RGB planes, values in [0, 1]. */
  readonly pixels: Float32Array;
  /** int32 [count]: index into the source's classes, -1 where the image has no label. */
  readonly labels: Int32Array;
  /** Indices of the images in `source.items`. */
  readonly indices: readonly number[];
  readonly ids: readonly string[];
  readonly count: number;
}

/** An image that was left out, and why. */
export interface SkippedImage {
  readonly id: string;
  readonly reason: string;
}

export type BatchOptions = ReadOptions & ImageForm;

export interface ReadOptions {
  /** Images per batch. Only the last one may have fewer. */
  readonly batch: number;
  /** Indices into `source.items`, in the order wanted. Repeats are allowed. */
  readonly order: readonly number[];
  /** Batches read ahead of the one in use, at least 1. Default 2. */
  readonly prefetch?: number;
  /** Worker threads, at least 1. Default 1, which uses further threads of libuv's pool for decoding. */
  readonly workers?: number;
  /** Called for each file that could not be read, in order, before the batch that would have held it. */
  readonly onSkip?: (skip: SkippedImage) => void;
  /** A file that cannot be read ends the iteration with a UsageError instead of being left out. Default false. */
  readonly strict?: boolean;
}

/**
 * Batches of decoded images, read ahead of need in worker threads. The batches and their order depend on the arguments
 * only, not on timing. A file that is no image is left out and reported; the images after it move up, so that all
 * batches but the last are full.
 *
 * The workers read on for `prefetch` batches while the main thread is busy. They start with the first batch asked for
 * and end with the iteration, also when it is left early. Each iteration starts from the beginning.
 *
 * @throws {UsageError} at once when an option is out of range; while iterating under `strict`, naming the file.
 */
export function openBatches(source: ImageSource, options: BatchOptions): AsyncIterable<ImageBatch> {
  checkOptions(source, options);
  return { [Symbol.asyncIterator]: () => iterate(source, options) };
}

async function* iterate(source: ImageSource, options: BatchOptions): AsyncGenerator<ImageBatch, void, undefined> {
  const { batch } = options;
  const assembler = new Assembler(3 * framingOf(options).size ** 2);
  for await (const group of readGroups(source, options)) {
    assembler.add(group);
    while (assembler.count >= batch) yield toBatch(source, assembler.take(batch));
  }
  if (assembler.count > 0) yield toBatch(source, assembler.take(assembler.count));
}

/** Images that were read, in order: `pixels` holds one after the other. */
interface Group {
  readonly indices: readonly number[];
  readonly pixels: Float32Array;
}

/** Reads the order in groups of one batch, `prefetch` groups ahead; a group lacks the images that cannot be read. */
async function* readGroups(source: ImageSource, options: BatchOptions): AsyncGenerator<Group, void, undefined> {
  const { batch, order, prefetch = 2, workers = 1 } = options;
  const framing = framingOf(options);
  if (order.length === 0) return;
  const pool = new WorkerPool(workers);
  try {
    const pending: { indices: readonly number[]; reply: Promise<ReadReply> }[] = [];
    let asked = 0;
    const ask = () => {
      if (asked >= order.length) return;
      const indices = order.slice(asked, asked + batch);
      asked += batch;
      const locations = indices.map((index) => source.items[index]!.location);
      pending.push({ indices, reply: pool.read({ framing, locations }) });
    };
    // The awaited group, and those ahead of it.
    for (let ahead = 0; ahead <= prefetch; ahead++) ask();
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      const { indices } = next;
      const { pixels, read, failed } = await pool.wait(next.reply);
      ask();
      for (const { position, reason } of failed) report(source, indices[position]!, reason, options);
      yield { indices: read.map((position) => indices[position]!), pixels };
    }
  } finally {
    await pool.close();
  }
}

function report(source: ImageSource, index: number, reason: string, { strict, onSkip }: BatchOptions): void {
  const { id, location } = source.items[index]!;
  if (strict) {
    const file = describeLocation(location);
    throw new UsageError(`${file} cannot be read as an image: ${reason}. Remove or replace it, or allow skipping.`);
  }
  onSkip?.({ id, reason });
}

/** Cuts groups of any length into groups of the length asked for, without a copy where the lengths agree. */
class Assembler {
  readonly #imageLength: number;
  #held: Group = { indices: [], pixels: new Float32Array(0) };

  constructor(imageLength: number) {
    this.#imageLength = imageLength;
  }

  get count(): number {
    return this.#held.indices.length;
  }

  add(group: Group): void {
    if (this.count === 0) {
      this.#held = group;
      return;
    }
    const pixels = new Float32Array((this.count + group.indices.length) * this.#imageLength);
    pixels.set(this.#held.pixels);
    pixels.set(group.pixels, this.#held.pixels.length);
    this.#held = { indices: [...this.#held.indices, ...group.indices], pixels };
  }

  /** The first `count` images, which stop being held. */
  take(count: number): Group {
    const { indices, pixels } = this.#held;
    if (count === indices.length) {
      this.#held = { indices: [], pixels: new Float32Array(0) };
      return { indices, pixels };
    }
    const cut = count * this.#imageLength;
    this.#held = { indices: indices.slice(count), pixels: pixels.slice(cut) };
    return { indices: indices.slice(0, count), pixels: pixels.slice(0, cut) };
  }
}

function toBatch(source: ImageSource, { indices, pixels }: Group): ImageBatch {
  const items = indices.map((index) => source.items[index]!);
  return {
    pixels,
    labels: Int32Array.from(items, ({ label = -1 }) => label),
    indices,
    ids: items.map(({ id }) => id),
    count: indices.length,
  };
}

function checkOptions(source: ImageSource, options: BatchOptions): void {
  const { batch, order, prefetch = 2, workers = 1 } = options;
  const { size } = framingOf(options);
  for (const [name, value] of Object.entries({ size, batch, prefetch, workers })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new UsageError(`Batches of ${source.name}: ${name} ${value} must be a whole number, at least 1.`);
  }
  const wrong = order.find((index) => source.items[index] === undefined);
  if (wrong !== undefined) {
    throw new UsageError(`Batches of ${source.name}: the order names image ${wrong} of ${source.items.length}.`);
  }
}
