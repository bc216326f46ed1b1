import type { BankArrays, Objective } from "../objectives/index.ts";
import type { TypedArray } from "../tensor/index.ts";
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
  /** Sizes of perturbations and of steps, in pixel units. */
  readonly epsilon: Float32Array;
  readonly stepSize: Float32Array;
  /** Class indices; absent where the batch has none. */
  readonly labels?: BigInt64Array;
  readonly original: Float32Array;
  /** Of the original's class distributions, in nats; zeros without a class constraint. */
  readonly entropy: Float32Array;
  readonly share: Float32Array;
  readonly threshold: Float32Array;
  readonly lambda: Float32Array;
  /** Embeddings of the perturbed images, and the rest, of the latest primal step. */
  readonly advEmbedding: Float32Array;
  readonly advDistance: Float32Array;
  /** Where it is something else than the distance. */
  readonly advLoss: Float32Array;
  readonly cleanDistance: Float32Array;
  /** The bank that distances are measured by; the same for all parts of a batch. */
  readonly bank: BankArrays;
}

/** A part's arrays, as programs take them. */
export function arraysOf({ count, start, bank, ...arrays }: Part): Readonly<Record<string, TypedArray>> {
  return { ...arrays, ...bank };
}

/** The arrays of a whole batch, padded so that parts of several sizes can be cut out of it. */
export interface Batch {
  readonly count: number;
  /** Images and padding. */
  readonly length: number;
  readonly arrays: Omit<Part, "count" | "start" | "bank">;
  readonly bank: BankArrays;
}

/**
 * @param pixels [count, 3, S, S]; not copied where no padding is needed
 * @param labels [count]
 * @param size of an image, 3 S S, and of an embedding
 * @param partSizes of the parts that `partsOf` will be asked for
 */
export function batchOf(
  pixels: Float32Array,
  labels: Int32Array | undefined,
  size: { readonly image: number; readonly embedding: number },
  partSizes: readonly number[],
  bank: BankArrays,
): Batch {
  const count = pixels.length / size.image;
  const length = Math.max(...partSizes.map((part) => Math.ceil(count / part) * part));
  const perImage = (): Float32Array => new Float32Array(length);
  return {
    count,
    length,
    bank,
    arrays: {
      clean: padded(pixels, length * size.image),
      ...(labels && { labels: BigInt64Array.from({ length }, (_, i) => BigInt(labels[i] ?? 0)) }),
      adversarial: new Float32Array(length * size.image),
      epsilon: perImage(),
      stepSize: perImage(),
      original: new Float32Array(length * size.embedding),
      entropy: perImage(),
      share: perImage().fill(1 / count, 0, count),
      threshold: perImage(),
      lambda: perImage(),
      advEmbedding: new Float32Array(length * size.embedding),
      advDistance: perImage(),
      advLoss: perImage(),
      cleanDistance: perImage(),
    },
  };
}

function padded(values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values;
  const longer = new Float32Array(length);
  longer.set(values);
  return longer;
}

/** The batch in parts of `size` images, on the batch's own memory: what one part is told, parts of another size know. */
export function partsOf({ count, length, arrays, bank }: Batch, size: number): readonly Part[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, index): Part => {
    const start = index * size;
    const rows = Object.entries(arrays).map(([name, data]: [string, TypedArray]) => {
      const width = data.length / length;
      return [name, data.subarray(start * width, (start + size) * width)];
    });
    return { count: Math.min(size, count - start), start, bank, ...(Object.fromEntries(rows) as Batch["arrays"]) };
  });
}

/**
 * Means over the batch's images of what the parts hold now.
 *
 * @param measured whether the parts' clean distances are those of now; they are, with a constraint
 */
export function summarize(
  parts: readonly Part[],
  loss: number,
  { loss: { kind }, constraint }: Objective,
  measured: boolean,
): BatchResult {
  // Not by the shares: they are float32, and three thirds would be more than one.
  const divergence = constraint?.divergence === "embedding" ? constraint.distance.kind : "squared-l2";
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const mean = (value: (part: Part, i: number) => number): number => {
    let sum = 0;
    for (const part of parts) for (let i = 0; i < part.count; i++) sum += value(part, i);
    return sum / total;
  };
  return {
    loss,
    advDistance: mean((part, i) => part.advDistance[i]!),
    ...(total > 1 && { spread: spreadOf(parts, "advEmbedding") / spreadOf(parts, "original") }),
    ...((measured || constraint) && { cleanDistance: mean((part, i) => part.cleanDistance[i]!) }),
    ...(kind !== divergence && { advLoss: mean((part, i) => part.advLoss[i]!) }),
    ...(constraint && {
      threshold: mean((part, i) => part.threshold[i]!),
      lambdaMean: mean((part, i) => part.lambda[i]!),
      violationRate: mean((part, i) => (part.cleanDistance[i]! > part.threshold[i]! ? 1 : 0)),
    }),
  };
}

/** Mean squared distance of a batch's embeddings to their mean; 0 for one image. */
function spreadOf(parts: readonly Part[], rows: "advEmbedding" | "original"): number {
  const size = parts[0]!.original.length / parts[0]!.share.length;
  const images = parts.flatMap((part) =>
    Array.from({ length: part.count }, (_, i) => part[rows].subarray(i * size, (i + 1) * size)),
  );
  let spread = 0;
  for (let d = 0; d < size; d++) {
    const mean = images.reduce((sum, row) => sum + row[d]!, 0) / images.length;
    for (const row of images) spread += (row[d]! - mean) ** 2 / images.length;
  }
  return spread;
}
