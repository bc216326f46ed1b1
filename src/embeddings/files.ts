import { existsSync } from "node:fs";
import { extname } from "node:path";
import { UsageError } from "../errors.ts";
import { type SavedFile, writeAtomically } from "../files.ts";
import { jsonLinesFiles, readJsonLines } from "./jsonl.ts";
import { npyFiles, readNpy } from "./npy.ts";
import { parquetFiles, readParquet } from "./parquet.ts";
import { readSafetensorsTable, safetensorsFiles } from "./safetensors.ts";
import type { EmbeddingTable } from "./table.ts";

interface Format {
  readonly files: (path: string, table: EmbeddingTable) => readonly SavedFile[] | Promise<readonly SavedFile[]>;
  readonly read: (path: string) => EmbeddingTable | Promise<EmbeddingTable>;
}

const formats: Readonly<Record<string, Format>> = {
  ".npy": { files: npyFiles, read: readNpy },
  ".safetensors": { files: safetensorsFiles, read: readSafetensorsTable },
  ".jsonl": { files: jsonLinesFiles, read: readJsonLines },
  ".parquet": { files: parquetFiles, read: readParquet },
};

/** @throws UsageError when the file's name ends like none of the formats */
export function checkEmbeddingsPath(path: string): void {
  formatOf(path);
}

/**
 * Writes embeddings in the format that the file's name ends with: .npy, .safetensors, .jsonl or .parquet.
 *
 * @returns the files: NumPy's format has its names in a file beside it
 * @throws UsageError when it ends otherwise; LoreError when the file cannot be written
 */
export async function writeEmbeddings(path: string, table: EmbeddingTable): Promise<readonly string[]> {
  const files = await formatOf(path).files(path, table);
  for (const file of files) writeAtomically(...file);
  return files.map(([written]) => written);
}

/**
 * Reads what `writeEmbeddings` wrote, or other programs in the same form.
 *
 * @throws UsageError when there is no such file, or it holds no embeddings with names
 */
export async function readEmbeddings(path: string): Promise<EmbeddingTable> {
  const { read } = formatOf(path);
  if (!existsSync(path)) throw new UsageError(`No embeddings at ${path}: there is no such file.`);
  try {
    return await read(path);
  } catch (cause) {
    throw new UsageError(
      `Embeddings ${path} cannot be used: ${cause instanceof Error ? cause.message : cause}. Write them with lore embed --out.`,
      { cause },
    );
  }
}

function formatOf(path: string): Format {
  const format = formats[extname(path)];
  if (format) return format;
  throw new UsageError(
    `${path}: embeddings are kept as ${Object.keys(formats).join(", ")}; end the name with one of these.`,
  );
}
