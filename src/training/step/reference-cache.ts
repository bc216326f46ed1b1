import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { LoreError } from "../../errors.ts";
import type { Part, Rows } from "./batch.ts";
import type { OriginalRows } from "./reference.ts";
import { RowIndex } from "./row-index.ts";

export interface CacheOptions {
  /** Bytes of rows held in memory. Default 256 MiB. */
  readonly memory?: number;
  /** File for the rows beyond those, while the cache is in use. Without it they are not cached. */
  readonly file?: string;
}

const defaultMemory = 2 ** 28;

/** Images and rows of a part. */
type PartSize = Pick<Part<Rows>, "count" | "size">;

/** Bytes of memory that the cache takes for a number of images. */
export function cacheBytes(images: number, embeddingSize: number, memory = defaultMemory): number {
  return Math.min(4 * (images + 1) * (embeddingSize + 1), memory);
}

/**
 * The original encoder's answers to images whose pixels are the same in every epoch. Each image has a row with embedding
 * and entropy (0 if there is none). Row 0 is for padding, so that a cached part equals a computed one to the last bit.
 */
export class ReferenceCache {
  readonly #rows: RowIndex;
  readonly #length: number;
  readonly #known: Uint8Array;
  readonly #memory: Float32Array;
  readonly #held: number;
  readonly #file: string | undefined;
  #descriptor: number | undefined;

  /** @param images numbers of the images to be cached, in any numbering */
  constructor(images: readonly number[], embeddingSize: number, { memory = defaultMemory, file }: CacheOptions = {}) {
    this.#rows = new RowIndex(images);
    this.#length = embeddingSize + 1;
    const count = images.length + 1;
    this.#held = Math.min(count, Math.floor(memory / (4 * this.#length)));
    this.#memory = new Float32Array(this.#held * this.#length);
    this.#known = new Uint8Array(count);
    this.#file = this.#held < count ? file : undefined;
  }

  /**
   * Cached answers for a part, if all its images are cached. Entropies are 0 if there were none.
   *
   * @param images [part.count]
   */
  load(part: PartSize, images: readonly number[]): Required<OriginalRows> | undefined {
    const rows = this.#rowsOf(part, images);
    if (!rows.every((row) => this.#known[row])) return undefined;
    const size = this.#length - 1;
    const original = new Float32Array(rows.length * size);
    const entropy = new Float32Array(rows.length);
    rows.forEach((row, i) => {
      const values = this.#read(row);
      original.set(values.subarray(0, size), i * size);
      entropy[i] = values[size]!;
    });
    return { original, entropy };
  }

  /**
   * Stores the original's answers to a part.
   *
   * @throws LoreError when the file cannot be written
   */
  keep(part: PartSize, images: readonly number[], { original, entropy }: OriginalRows): void {
    const size = this.#length - 1;
    this.#rowsOf(part, images).forEach((row, i) => {
      if (this.#known[row]) return;
      const values = new Float32Array(this.#length);
      values.set(original.subarray(i * size, (i + 1) * size));
      values[size] = entropy?.[i] ?? 0;
      this.#write(row, values);
    });
  }

  /** Removes the file. */
  dispose(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    rmSync(this.#file!, { force: true });
  }

  #rowsOf({ size, count }: PartSize, images: readonly number[]): readonly number[] {
    return Array.from({ length: size }, (_, i) => (i < count ? 1 + this.#rows.of(images[i]) : 0));
  }

  #read(row: number): Float32Array {
    if (row < this.#held) return this.#memory.subarray(row * this.#length, (row + 1) * this.#length);
    const values = new Float32Array(this.#length);
    this.#onFile((file) => {
      if (readSync(file, values, 0, values.byteLength, this.#position(row)) !== values.byteLength)
        throw new Error("the file ends early");
    });
    return values;
  }

  #write(row: number, values: Float32Array): void {
    if (row < this.#held) this.#memory.set(values, row * this.#length);
    else if (this.#file === undefined) return;
    else
      this.#onFile((file) => {
        if (writeSync(file, values, 0, values.byteLength, this.#position(row)) !== values.byteLength)
          throw new Error("the disk took only part of it");
      });
    this.#known[row] = 1;
  }

  #position(row: number): number {
    return 4 * (row - this.#held) * this.#length;
  }

  #onFile(use: (descriptor: number) => void): void {
    try {
      this.#descriptor ??= openSync(this.#file!, "w+");
      use(this.#descriptor);
    } catch (cause) {
      throw new LoreError(
        `${this.#file}, which holds original embeddings between epochs, cannot be used: ${cause instanceof Error ? cause.message : cause}. Free space on its disk.`,
        { cause },
      );
    }
  }
}
