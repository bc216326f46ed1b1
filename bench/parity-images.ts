import { join } from "node:path";
import { balancedSubset, type ImageSource, openBatches } from "../src/data/index.ts";
import { writeAtomically } from "../src/files.ts";
import { headRows } from "../src/inference/classes.ts";
import { Predictor } from "../src/inference/predictor.ts";
import { victimOf } from "../src/inference/victim.ts";
import { type CorrectImage, correctImages, joined } from "../src/measure/accuracy/chunk.ts";
import { type Encoder, saveEncoder } from "../src/models/index.ts";
import { randomStream } from "../src/random.ts";
import { encodeSafetensors } from "../src/safetensors.ts";
import type { Tensor } from "../src/tensor/tensor.ts";

/** Seed of the images' order and the attacks. */
export const seed = 0;

export interface ImageOptions {
  /** Images, taken class by class. */
  readonly limit: number;
  /** Images at a time. */
  readonly batch: number;
  readonly threads: number;
}

/** Images as they are evaluated. */
export interface ParityImages {
  readonly pixels: Float32Array;
  readonly labels: readonly number[];
  /** Directions of starts: uniform in [-1, 1], one a pixel; shaped as `pixels`. */
  readonly starts: Float32Array;
  /** Images that are classified correctly, with positions among these images. */
  readonly right: readonly CorrectImage[];
}

/** The first `limit` images of the source, taken class by class. */
export async function readImages(
  encoder: Encoder,
  source: ImageSource,
  { limit, ...compileOptions }: ImageOptions,
): Promise<ParityImages> {
  const predictor = await Predictor.compile(await victimOf(encoder, source), compileOptions);
  const order = balancedSubset(source, limit, seed);
  const parts: Float32Array[] = [];
  const labels: number[] = [];
  const right: CorrectImage[] = [];
  for await (const images of openBatches(source, { framing: encoder.framing, batch: compileOptions.batch, order })) {
    const some = Array.from(images.labels);
    const indices = some.map((_, i) => labels.length + i);
    right.push(...correctImages({ ...images, indices }, await predictor.predict(images.pixels, some)));
    parts.push(images.pixels.slice());
    labels.push(...some);
  }
  await predictor.dispose();
  const pixels = joined(parts.flatMap((part) => chunksOf(part, 3 * encoder.imageSize ** 2)));
  const random = randomStream(seed, "parity starts");
  return { pixels, labels, starts: pixels.map(() => random.uniform(-1, 1)), right };
}

function chunksOf(all: Float32Array, size: number): readonly Float32Array[] {
  return Array.from({ length: all.length / size }, (_, i) => all.subarray(i * size, (i + 1) * size));
}

/** Writes `encoder/` and `data.safetensors`, for bench/peer/autoattack.py. */
export function writeForPeer(
  folder: string,
  encoder: Encoder,
  source: ImageSource,
  { pixels, labels, starts }: ParityImages,
): void {
  saveEncoder(encoder, join(folder, "encoder"));
  const shape = [labels.length, 3, encoder.imageSize, encoder.imageSize];
  const whole = (list: readonly number[]): Tensor => ({
    dtype: "int64",
    shape: [list.length],
    data: BigInt64Array.from(list, BigInt),
  });
  const tensors = new Map<string, Tensor>([
    ["images", { dtype: "float32", shape, data: pixels }],
    ["starts", { dtype: "float32", shape, data: starts }],
    ["labels", whole(labels)],
    ["rows", whole(headRows(source, encoder.head!))],
  ]);
  writeAtomically(join(folder, "data.safetensors"), encodeSafetensors(tensors));
}
