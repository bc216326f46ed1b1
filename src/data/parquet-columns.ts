import { UsageError } from "../errors.ts";
import type { ParquetFile } from "./parquet-file.ts";

/** Which columns of a Parquet file hold the images and their labels. */
export interface ImageColumns {
  readonly image: string;
  readonly label?: string;
  /** Label i is `names[i]`. */
  readonly names?: readonly string[];
}

/** One entry of the features that the hub's `datasets` library writes into a file's metadata. */
interface Feature {
  readonly _type?: unknown;
  readonly names?: unknown;
}

/**
 * Finds them by the types of the features that `datasets` describes in the file's metadata (key `huggingface`). A file
 * without this description is known by its schema: the first group with a field `bytes`, and the integer column `label`.
 *
 * @throws {UsageError} when there is no column of images.
 */
export function imageColumns(file: ParquetFile): ImageColumns {
  const columns = describedColumns(file) ?? schemaColumns(file);
  if (columns !== undefined) return columns;
  const names = [...new Set(leaves(file).map(({ path }) => path[0]))].join(", ");
  throw new UsageError(
    `Parquet file ${file.path} has no column of images (its columns: ${names || "none"}). ` +
      "Expected the hub's layout: a column with the fields bytes and path.",
  );
}

function describedColumns(file: ParquetFile): ImageColumns | undefined {
  const features = Object.entries(readFeatures(file) ?? {});
  const image = features.find(([, { _type }]) => _type === "Image")?.[0];
  if (image === undefined) return undefined;
  const [label, { names } = {}] = features.find(([, { _type }]) => _type === "ClassLabel") ?? [];
  if (label === undefined) return { image };
  return { image, label, ...(isStrings(names) && { names }) };
}

function readFeatures(file: ParquetFile): Readonly<Record<string, Feature>> | undefined {
  const text = file.metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  if (text === undefined) return undefined;
  try {
    const described = JSON.parse(text) as { readonly info?: { readonly features?: Readonly<Record<string, Feature>> } };
    return described.info?.features;
  } catch (cause) {
    const why = (cause as Error).message;
    throw new UsageError(`Parquet file ${file.path}: its "huggingface" metadata is no JSON: ${why}`, { cause });
  }
}

function schemaColumns(file: ParquetFile): ImageColumns | undefined {
  const image = leaves(file).find(({ path }) => path.length === 2 && path[1] === "bytes")?.path[0];
  if (image === undefined) return undefined;
  const hasLabel = leaves(file).some(({ path, type }) => path.join(".") === "label" && /^INT(32|64)$/.test(type));
  return hasLabel ? { image, label: "label" } : { image };
}

function leaves(file: ParquetFile): { readonly path: readonly string[]; readonly type: string }[] {
  const columns = file.metadata.row_groups[0]?.columns ?? [];
  return columns.flatMap(({ meta_data: meta }) => (meta ? [{ path: meta.path_in_schema, type: meta.type }] : []));
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((element) => typeof element === "string");
}
