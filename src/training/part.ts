import type { Objective } from "../objectives/index.ts";
import type { TypedArray } from "../onnx/tensor.ts";
import type { BatchResult } from "./metrics.ts";

/**
 * The images of a batch that go through the encoder together, padded to the micro-batch. Arrays have one row an image
 * and are filled as the step goes on; `share` is 1 / batch for images and 0 for padding.
 */
export interface Part {
  readonly count: number;
  /** Where the part's first image stands in the batch. */
  readonly start: number;
  readonly clean: Float32Array;
  readonly adversarial: Float32Array;
  /** Class indices; absent where the batch has none. */
  readonly labels?: BigInt64Array;
  readonly original: Float32Array;
  readonly share: Float32Array;
  readonly threshold: Float32Array;
  readonly lambda: Float32Array;
  /** Of the latest primal step. */
  readonly advDistance: Float32Array;
  /** Where it is something else than the distance. */
  readonly advLoss: Float32Array;
  readonly cleanDistance: Float32Array;
}

/** A part's arrays, as programs take them. */
export function arraysOf({ count: _count, start: _start, ...arrays }: Part): Readonly<Record<string, TypedArray>> {
  return arrays;
}

/**
 * @param pixels [count, 3, S, S]; `imageLength` is 3 S S
 * @param labels [count]
 */
export function splitBatch(
  pixels: Float32Array,
  labels: Int32Array | undefined,
  imageLength: number,
  embeddingSize: number,
  microBatch: number,
): readonly Part[] {
  const total = pixels.length / imageLength;
  return Array.from({ length: Math.ceil(total / microBatch) }, (_, index): Part => {
    const start = index * microBatch;
    const count = Math.min(microBatch, total - start);
    const clean = new Float32Array(microBatch * imageLength);
    clean.set(pixels.subarray(start * imageLength, (start + count) * imageLength));
    const perImage = (): Float32Array => new Float32Array(microBatch);
    return {
      count,
      start,
      clean,
      ...(labels && { labels: padded(labels.subarray(start, start + count), microBatch) }),
      adversarial: new Float32Array(clean.length),
      original: new Float32Array(microBatch * embeddingSize),
      share: perImage().fill(1 / total, 0, count),
      threshold: perImage(),
      lambda: perImage(),
      advDistance: perImage(),
      advLoss: perImage(),
      cleanDistance: perImage(),
    };
  });
}

function padded(labels: Int32Array, length: number): BigInt64Array {
  const wide = new BigInt64Array(length);
  wide.set(Array.from(labels, BigInt));
  return wide;
}

/** Means over the batch's images of what the parts hold now. */
export function summarize(
  parts: readonly Part[],
  loss: number,
  { loss: { kind }, constraint }: Objective,
): BatchResult {
  // Not by the shares: they are float32, and three thirds would be more than one.
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const mean = (value: (part: Part, i: number) => number): number => {
    let sum = 0;
    for (const part of parts) for (let i = 0; i < part.count; i++) sum += value(part, i);
    return sum / total;
  };
  return {
    loss,
    advDistance: mean((part, i) => part.advDistance[i]!),
    cleanDistance: mean((part, i) => part.cleanDistance[i]!),
    ...(kind === "cross-entropy" && { advLoss: mean((part, i) => part.advLoss[i]!) }),
    ...(constraint && {
      threshold: mean((part, i) => part.threshold[i]!),
      lambdaMean: mean((part, i) => part.lambda[i]!),
      violationRate: mean((part, i) => (part.cleanDistance[i]! > part.threshold[i]! ? 1 : 0)),
    }),
  };
}
