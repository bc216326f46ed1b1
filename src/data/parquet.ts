import { basename, dirname } from "node:path";
import { UsageError } from "../errors.ts";
import { type ClassNames, findClassNames, findTemplates } from "./class-names.ts";
import { type FoundItem, type Label, readLabel, sourceOf } from "./labels.ts";
import { imageColumns } from "./parquet-columns.ts";
import { openParquet, type ParquetFile, readColumn } from "./parquet-file.ts";
import { findParquetFiles } from "./parquet-files.ts";
import type { ImageSource, Remark } from "./source.ts";

/**
 * The images of Parquet files in the layout of the Hugging Face hub: a column of images, each a group of `bytes` (a
 * JPEG, PNG, ... file) and `path`, and a column of labels: numbers, or names of classes. Which columns these are, and the
 * names of the classes, is in the file's own description of its features (`Image` and `ClassLabel`; the first of each, so
 * CIFAR-100's fine labels); see `imageColumns` for files without one. The label -1 means none, as on the hub. Where the
 * files name no classes, a `classnames.txt` beside them or one level above does; prompt templates come from a
 * `zeroshot_classification_templates.txt` there.
 *
 * Listing reads the footers and the labels; see `ParquetImages` for how images are read.
 *
 * @param path A file, a folder or a split; see `findParquetFiles`.
 * @throws {UsageError} when a file is missing, cut short or damaged, has no images or other classes than the first, or
 * a label is outside the class names.
 */
export async function parquetDataset(path: string): Promise<ImageSource> {
  const paths = findParquetFiles(path);
  if (paths === undefined) throw new UsageError(`There are no Parquet files at ${path}.`);
  const parts: Part[] = [];
  for (const file of paths) parts.push(await readPart(file));
  const items = parts.flatMap((part) => part.items);
  if (items.length === 0) throw new UsageError(`${path} holds no images: its files have no rows.`);
  const [{ classNames, remarks }] = parts as [Part];
  const named = (part: Part | undefined): string | undefined => part?.classNames?.names.join("\n");
  const other = parts.findIndex((part) => named(part) !== named(parts[0]));
  if (other !== -1) {
    throw new UsageError(`${paths[other]} names other classes than ${paths[0]}. Give files of one data set.`);
  }
  return sourceOf({ name: path, items, classNames, templates: findTemplates(dirname(paths[0]!)), remarks });
}

interface Part {
  readonly items: readonly FoundItem[];
  readonly classNames: ClassNames | undefined;
  readonly remarks: readonly Remark[];
}

async function readPart(path: string): Promise<Part> {
  const file = await openParquet(path);
  const columns = imageColumns(file);
  const classNames = columns.names ? { path, names: columns.names } : findClassNames(dirname(path));
  const rows = Number(file.metadata.num_rows);
  const values = columns.label === undefined ? [] : await readLabels(file, columns.label, rows);
  const items = Array.from({ length: rows }, (_, row): FoundItem => {
    const label: Label | undefined = readLabel(values[row], `${path}: row ${row}, column "${columns.label}",`);
    return {
      id: `${basename(path)}: row ${row}`,
      ...(label !== undefined && { label }),
      location: { kind: "parquet", path, column: columns.image, row },
    };
  });
  return { items, classNames, remarks: columns.remarks };
}

async function readLabels(file: ParquetFile, column: string, rows: number): Promise<readonly unknown[]> {
  try {
    return await readColumn(file, column, 0, rows);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new UsageError(`Parquet file ${file.path}: column "${column}" cannot be read: ${why}`, { cause });
  }
}
