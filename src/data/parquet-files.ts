import { statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UsageError } from "../errors.ts";
import { isFolder, namesIn, splitNames } from "./listing.ts";

/** The hub's names: `SPLIT-00000-of-00002.parquet`, in older data with a hash at the end. */
const shardFile = /^(?:(.+)-)?\d{5}-of-(\d{5})(?:-\w+)?\.parquet$/;

/**
 * The Parquet files, in order, that a path stands for: the file; the files of a folder or of the folder `data` in
 * it; or, where the path ends in a split's name instead of a folder's, the files of that split
 * (`pets/train` for `pets/data/train-00000-of-00002.parquet` ...). A `metadata.parquet`, which describes image files
 * beside it, does not count.
 *
 * @returns undefined when the path stands for no Parquet files.
 * @throws {UsageError} when a folder has files of several splits (the message names them), or files of a split are missing.
 */
export function findParquetFiles(path: string): readonly string[] | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile()) return path.endsWith(".parquet") ? [path] : undefined;
  if (found === undefined) return splits(dirname(path)).get(basename(path));
  const groups = splits(path);
  if (groups.size <= 1) return [...groups.values()][0];
  const choices = [...groups].flatMap(([split, files]) => (split === "" ? files : [join(path, split)]));
  throw new UsageError(`${path} holds the splits of a data set. Give one of them: ${choices.join(" or ")}.`);
}

/** Files by split; a file whose name tells none belongs to the split "". */
function splits(folder: string): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const file of parquetIn(folder)) {
    const name = basename(file);
    const stem = basename(file, ".parquet");
    const split = shardFile.exec(name)?.[1] ?? (splitNames.has(stem) ? stem : "");
    groups.set(split, [...(groups.get(split) ?? []), file]);
  }
  for (const files of groups.values()) checkComplete(files);
  return groups;
}

/** Rejects a data set with missing files, as an interrupted download leaves it. */
function checkComplete(files: readonly string[]): void {
  const count = Number(shardFile.exec(basename(files[0]!))?.[2] ?? files.length);
  if (files.length === count) return;
  throw new UsageError(
    `Folder ${dirname(files[0]!)} holds ${files.length} of ${count} files like ${basename(files[0]!)}. Complete it.`,
  );
}

function parquetIn(folder: string): readonly string[] {
  return [folder, join(folder, "data")].map(filesIn).find((files) => files.length > 0) ?? [];
}

function filesIn(folder: string): string[] {
  if (!isFolder(folder)) return [];
  return namesIn(folder)
    .filter((name) => name.endsWith(".parquet") && name !== "metadata.parquet")
    .map((name) => join(folder, name));
}
