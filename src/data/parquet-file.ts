import { readFileSync, statSync } from "node:fs";
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { UsageError } from "../errors.ts";
import { largestLfsPointer, refuseLfsPointer } from "../lfs.ts";
import { readAt } from "./positioned.ts";

/** A Parquet file whose footer was read. */
export interface ParquetFile {
  readonly path: string;
  readonly bytes: AsyncBuffer;
  readonly metadata: FileMetaData;
}

/** Loads these on first use. Otherwise every command and every worker thread would wait a tenth of a second. */
const library = () => import("hyparquet");
const codecs = () => import("hyparquet-compressors");

/** @throws {UsageError} when the file cannot be read, is cut short or is no Parquet file. */
export async function openParquet(path: string): Promise<ParquetFile> {
  const { parquetMetadataAsync } = await library();
  try {
    const bytes: AsyncBuffer = {
      byteLength: statSync(path).size,
      slice: async (start, end = bytes.byteLength) => (await readAt(path, start, end - start)).buffer,
    };
    if (bytes.byteLength <= largestLfsPointer) refuseLfsPointer(readFileSync(path), path);
    return { path, bytes, metadata: await parquetMetadataAsync(bytes) };
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(
      `Parquet file ${path} cannot be read: ${(cause as Error).message}. If it was cut short, download it again.`,
      { cause },
    );
  }
}

/**
 * The values of one top-level column in rows `start` to `end` (exclusive): bytes as Uint8Array, 64-bit integers as
 * bigint, groups as objects, missing values as null. Reads the pages of these rows where the file has an index of its
 * pages, else the column in all row groups that hold them.
 */
export async function readColumn(
  file: ParquetFile,
  column: string,
  start: number,
  end: number,
): Promise<readonly unknown[]> {
  const [{ parquetReadObjects }, { compressors }] = await Promise.all([library(), codecs()]);
  const rows = await parquetReadObjects({
    file: file.bytes,
    metadata: file.metadata,
    columns: [column],
    rowStart: start,
    rowEnd: end,
    compressors,
    utf8: false,
    useOffsetIndex: true,
  });
  return rows.map((row): unknown => row[column]);
}

/** Where the pages of `column` begin in row group `group`, counted in rows of the group; undefined without an index. */
export async function pageStarts(file: ParquetFile, column: string, group: number): Promise<number[] | undefined> {
  const chunks = file.metadata.row_groups[group]!.columns.filter(
    ({ meta_data: meta }) => meta?.path_in_schema[0] === column,
  );
  // An image has bytes and a path. Only the bytes are costly to read in vain.
  const bulk = chunks.reduce((a, b) => (sizeOf(b) > sizeOf(a) ? b : a));
  if (!bulk.offset_index_offset || !bulk.offset_index_length) return undefined;
  const { readOffsetIndex } = await library();
  const index = await readAt(file.path, Number(bulk.offset_index_offset), bulk.offset_index_length);
  const { page_locations: pages } = readOffsetIndex({ view: new DataView(index.buffer), offset: 0 });
  return pages.map(({ first_row_index: first }) => Number(first));
}

function sizeOf({ meta_data: meta }: FileMetaData["row_groups"][number]["columns"][number]): bigint {
  return meta?.total_compressed_size ?? 0n;
}
