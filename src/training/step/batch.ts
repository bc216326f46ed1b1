import type { BankArrays } from "../../objectives/index.ts";
import type { TypedArray } from "../../tensor/index.ts";

/** Arrays with one row an image, by the names that programs read them under. */
export type Rows = Readonly<Record<string, TypedArray>>;

/** The images themselves. */
export type ImageRows = Rows & {
  /** [rows, 3, S, S] in [0, 1] */
  readonly clean: Float32Array;
  /** [rows]: 1 / images for an image, 0 for padding. */
  readonly share: Float32Array;
  /** [rows], class indices; absent where the batch has none. */
  readonly labels?: BigInt64Array;
};

/** A batch, padded with black images so that parts of several sizes can be cut out of it. */
export interface Batch {
  readonly count: number;
  /** Images and padding. */
  readonly length: number;
  readonly images: ImageRows;
  /** Embeddings that distances are measured by: the same for all rows. */
  readonly bank: BankArrays;
}

/** The images of a batch that go through the encoder together. The last part may end in padding. */
export interface Part<Known extends Rows> {
  readonly batch: Batch;
  /** The place of the part's first image in the batch. */
  readonly start: number;
  /** Images, without padding. */
  readonly count: number;
  /** Rows: images and padding. */
  readonly size: number;
  /** Views of the batch's rows. */
  readonly rows: Known;
}

/**
 * @param pixels [count, 3, S, S]; not copied where no padding is needed
 * @param labels [count]
 * @param imageLength numbers of an image, 3 S S
 * @param partSizes sizes of the parts that `partsOf` will be asked for
 */
export function batchOf(
  pixels: Float32Array,
  labels: Int32Array | undefined,
  imageLength: number,
  partSizes: readonly number[],
  bank: BankArrays,
): Batch {
  const count = pixels.length / imageLength;
  const length = Math.max(...partSizes.map((size) => Math.ceil(count / size) * size));
  const images: ImageRows = {
    clean: padded(pixels, length * imageLength),
    share: new Float32Array(length).fill(1 / count, 0, count),
    ...(labels && { labels: BigInt64Array.from({ length }, (_, i) => BigInt(labels[i] ?? 0)) }),
  };
  return { count, length, images, bank };
}

function padded(values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values;
  const longer = new Float32Array(length);
  longer.set(values);
  return longer;
}

/** The batch's rows in parts of `size`, on the same memory. */
export function partsOf<Known extends Rows>(batch: Batch, rows: Known, size: number): readonly Part<Known>[] {
  return Array.from({ length: Math.ceil(batch.count / size) }, (_, index) => {
    const start = index * size;
    const views = Object.entries(rows).map(([name, data]) => {
      const width = data.length / batch.length;
      return [name, data.subarray(start * width, (start + size) * width)];
    });
    return {
      ...{ batch, start, size, count: Math.min(size, batch.count - start) },
      rows: Object.fromEntries(views) as Known,
    };
  });
}

/** Everything about a part that a program may read. */
export function feedsOfPart({ rows, batch }: Part<Rows>): Rows {
  return { ...rows, ...batch.bank };
}

/** Rows of a batch's parts, all of one size, as rows of the batch; zeros where there is no part. */
export function joined({ length }: Batch, size: number, parts: readonly Float32Array[]): Float32Array {
  const width = parts[0]!.length / size;
  const all = new Float32Array(length * width);
  for (const [index, part] of parts.entries()) all.set(part, index * size * width);
  return all;
}
