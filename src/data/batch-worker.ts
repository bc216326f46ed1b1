import { parentPort } from "node:worker_threads";
import type { Framing } from "../framing.ts";
import { readImage, writePlanes } from "./read.ts";
import type { ImageLocation, RawImage } from "./source.ts";

/*
 * Runs in a worker thread: reads groups of images, in the order in which they are asked for. It knows nothing of
 * batches, so that any number of workers can share the work.
 */

/** A group of images to read. */
export interface ReadRequest {
  readonly id: number;
  readonly framing: Framing;
  readonly locations: readonly ImageLocation[];
}

/** The images of a request that could be read, in order, and why the others could not. */
export interface ReadReply {
  readonly id: number;
  /** float32 [read.length, 3, size, size], values in [0, 1]; its buffer is transferred. */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** Positions in the request's `locations`, ascending. */
  readonly read: readonly number[];
  readonly failed: readonly { readonly position: number; readonly reason: string }[];
}

/** Images in flight at a time: enough to keep libuv's four threads busy while this one resizes. */
const CONCURRENCY = 6;

/** Reads a group of images. Failures are part of the reply, never thrown. */
export async function answer({ id, framing, locations }: ReadRequest): Promise<ReadReply> {
  const results = await mapConcurrently(locations, (location) => attempt(location, framing));
  const imageLength = 3 * framing.size ** 2;
  const read: number[] = [];
  const failed: { position: number; reason: string }[] = [];
  const images: RawImage[] = [];
  results.forEach((result, position) => {
    if ("reason" in result) {
      failed.push({ position, reason: result.reason });
      return;
    }
    read.push(position);
    images.push(result);
  });
  const pixels = new Float32Array(images.length * imageLength);
  for (const [i, image] of images.entries()) writePlanes(image, pixels, i * imageLength);
  return { id, pixels, read, failed };
}

async function attempt(location: ImageLocation, framing: Framing): Promise<RawImage | { readonly reason: string }> {
  try {
    return await readImage(location, { framing });
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

async function mapConcurrently<T, R>(list: readonly T[], task: (element: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(list.length);
  let next = 0;
  const lane = async () => {
    while (next < list.length) {
      const mine = next++;
      results[mine] = await task(list[mine]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, list.length) }, lane));
  return results;
}

/** Answers requests strictly one after the other: the earliest is the one that is waited for. */
function serve(port: NonNullable<typeof parentPort>): void {
  let last = Promise.resolve();
  port.on("message", (request: ReadRequest) => {
    last = last.then(async () => {
      const reply = await answer(request);
      port.postMessage(reply, [reply.pixels.buffer]);
    });
  });
}

if (parentPort !== null) serve(parentPort);
