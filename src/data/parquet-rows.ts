import { LoreError } from "../errors.ts";
import { openParquet, type ParquetFile, pageStarts, readColumn } from "./parquet-file.ts";
import type { ParquetRow } from "./source.ts";

/** Rows that can only be decoded together: a page, or a whole row group where the file has no index of its pages. */
interface Block {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** An open file, and the blocks of its column of images in ascending order, row group by row group. */
interface OpenFile {
  readonly file: ParquetFile;
  readonly groups: readonly Block[];
  readonly blocks: Map<number, Promise<readonly Block[]>>;
}

interface CachedRows {
  readonly rows: Promise<readonly unknown[]>;
  bytes: number;
}

const MEBIBYTE = 2 ** 20;

/**
 * Reads images of Parquet files in any order, and keeps what it had to decode with them.
 *
 * A shuffled epoch asks for rows all over the files, and a row costs as much as the block around it. The blocks used
 * last are kept, up to a number of bytes: a data set within it (CIFAR-10's 110 MB) is decoded once. Of a larger one,
 * nearly every image of a shuffled epoch decodes its block again: about 1 MB where the writer left an index of pages
 * (`write_page_index`), and otherwise a row group, which the hub's writer makes of 100 photographs, some 10 MB.
 */
export class ParquetImages {
  readonly #capacity: number;
  readonly #files = new Map<string, Promise<OpenFile>>();
  /** The first is the one used longest ago. */
  readonly #cache = new Map<string, CachedRows>();
  #held = 0;

  /** @param capacity Bytes of images to keep; the last block is kept whatever its size. Default 256 MiB. */
  constructor(capacity = 256 * MEBIBYTE) {
    this.#capacity = capacity;
  }

  /** Bytes of images kept at present. */
  get held(): number {
    return this.#held;
  }

  /**
   * The image file in this row.
   *
   * @throws {LoreError} when the row holds none; errors of reading and decoding the Parquet file.
   */
  async read({ path, column, row }: ParquetRow): Promise<Uint8Array> {
    const block = await this.#blockOf(path, column, row);
    const rows = await this.#rows(path, column, block);
    const bytes = imageBytes(rows[row - block.start]);
    if (bytes !== undefined) return bytes;
    throw new LoreError("the row holds no bytes of an image (a path to another file is not followed)");
  }

  async #blockOf(path: string, column: string, row: number): Promise<Block> {
    const open = await remembered(this.#files, path, () => openIndexed(path));
    const group = open.groups.findIndex(({ end }) => row < end);
    const blocks = await remembered(open.blocks, group, () => blocksOf(open.file, column, group, open.groups[group]!));
    return blocks.find(({ end }) => row < end)!;
  }

  #rows(path: string, column: string, { start, end }: Block): Promise<readonly unknown[]> {
    const key = `${start} ${path}`;
    const known = this.#cache.get(key);
    if (known !== undefined) {
      this.#cache.delete(key);
      this.#cache.set(key, known);
      return known.rows;
    }
    const open = this.#files.get(path)!;
    const entry = { rows: open.then(({ file }) => readColumn(file, column, start, end)), bytes: 0 };
    this.#cache.set(key, entry);
    entry.rows.then(
      (rows) => this.#account(key, entry, rows),
      () => this.#cache.delete(key),
    );
    return entry.rows;
  }

  #account(key: string, entry: CachedRows, rows: readonly unknown[]): void {
    // Other reads may have evicted it in the meantime.
    if (this.#cache.get(key) !== entry) return;
    entry.bytes = rows.reduce((sum: number, row) => sum + (imageBytes(row)?.length ?? 0), 0);
    this.#held += entry.bytes;
    for (const [oldest, { bytes }] of this.#cache) {
      if (this.#held <= this.#capacity || this.#cache.size === 1) return;
      this.#cache.delete(oldest);
      this.#held -= bytes;
    }
  }
}

/** The hub's layout is a group of bytes and a path; others write the bytes alone. */
function imageBytes(value: unknown): Uint8Array | undefined {
  const bytes = typeof value === "object" && value !== null && "bytes" in value ? value.bytes : value;
  return bytes instanceof Uint8Array ? bytes : undefined;
}

async function openIndexed(path: string): Promise<OpenFile> {
  const file = await openParquet(path);
  let end = 0;
  const groups = file.metadata.row_groups.map(({ num_rows: rows }): Block => {
    const start = end;
    end += Number(rows);
    return { start, end };
  });
  return { file, groups, blocks: new Map() };
}

async function blocksOf(file: ParquetFile, column: string, group: number, rows: Block): Promise<readonly Block[]> {
  const starts = await pageStarts(file, column, group);
  if (starts === undefined) return [rows];
  return starts.map((start, i) => ({
    start: rows.start + start,
    end: rows.start + (starts[i + 1] ?? rows.end - rows.start),
  }));
}

/** The value made for this key before; a failure is not remembered. */
function remembered<K, V>(known: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const before = known.get(key);
  if (before !== undefined) return before;
  const value = make();
  known.set(key, value);
  value.catch(() => known.delete(key));
  return value;
}
