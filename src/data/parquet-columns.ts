import { UsageError } from "../errors.ts";
import { labelFields } from "./labels.ts";
import type { ParquetFile } from "./parquet-file.ts";
import type { Remark } from "./source.ts";

/** Which columns of a Parquet file hold the images and their labels. */
export interface ImageColumns {
  readonly image: string;
  readonly label?: string;
  /** Label i is `names[i]`. */
  readonly names?: readonly string[];
  /** Columns of the same kinds that are passed over. */
  readonly remarks: readonly Remark[];
}

/** One entry of the features that the hub's `datasets` library writes into a file's metadata. */
interface Feature {
  readonly _type?: unknown;
  readonly names?: unknown;
}

/**
 * Finds them by the types of the features that `datasets` describes in the file's metadata (key `huggingface`). A file
 * without this description is known by its schema: the first group with a field `bytes`. Where no feature is a
 * `ClassLabel`, labels are in a column of numbers or texts that is called `label`, `labels` or the like (`labelFields`).
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
  const ofType = (type: string) => features.filter(([, feature]) => feature?._type === type);
  const [image, ...otherImages] = ofType("Image").map(([name]) => name);
  if (image === undefined) return undefined;
  const [labelled, ...others] = ofType("ClassLabel");
  if (labelled === undefined)
    return { image, ...plainLabels(file), remarks: passedOver(file, "images", image, otherImages) };
  const [label, { names }] = labelled;
  return {
    image,
    label,
    ...(isStrings(names) && { names }),
    remarks: [
      ...passedOver(file, "images", image, otherImages),
      ...passedOver(
        file,
        "labels",
        label,
        others.map(([name]) => name),
      ),
    ],
  };
}

function passedOver(file: ParquetFile, what: string, taken: string, others: readonly string[]): readonly Remark[] {
  if (others.length === 0) return [];
  return [
    { kind: "fact", message: `${file.path}: ${what} are those of column ${taken}, not of ${others.join(" or ")}.` },
  ];
}

/** The column of labels that no feature calls `ClassLabel`, by its name. */
function plainLabels(file: ParquetFile): Pick<ImageColumns, "label"> {
  const columns = new Set(leaves(file).flatMap(({ path, type }) => (isPlain(path, type) ? [path[0]!] : [])));
  const label = labelFields.find((name) => columns.has(name));
  return label === undefined ? {} : { label };
}

/** A column of its own, or a list, of numbers or texts. */
function isPlain(path: readonly string[], type: string): boolean {
  const isList = path.length === 3 && path[1] === "list";
  return (path.length === 1 || isList) && /^(INT32|INT64|BOOLEAN|DOUBLE|FLOAT|BYTE_ARRAY)$/.test(type);
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
  return { image, ...plainLabels(file), remarks: [] };
}

function leaves(file: ParquetFile): { readonly path: readonly string[]; readonly type: string }[] {
  const columns = file.metadata.row_groups[0]?.columns ?? [];
  return columns.flatMap(({ meta_data: meta }) => (meta ? [{ path: meta.path_in_schema, type: meta.type }] : []));
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((element) => typeof element === "string");
}
