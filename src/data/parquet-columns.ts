import { UsageError } from "../errors.ts";
import { labelFieldsAmong } from "./labels.ts";
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
  /** Element feature of a list. */
  readonly feature?: Feature;
}

/**
 * Finds them by the types of the features that `datasets` describes in the file's metadata (key `huggingface`). A file
 * without this description is known by its schema: the first group with a field `bytes`. Where no feature is a
 * `ClassLabel`, labels are in a column of numbers or texts that is called `label`, `labels`, `fine_label` or the like
 * (`labelFieldsAmong`, `furtherLabels`).
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
  const features = Object.entries(readFeatures(file) ?? {}).flatMap(([name, feature]) => {
    const element = elementOf(feature);
    return element ? [[name, element] as const] : [];
  });
  const ofType = (type: string) => features.filter(([, feature]) => feature._type === type);
  const [image, ...otherImages] = ofType("Image").map(([name]) => name);
  if (image === undefined) return undefined;
  const [labelled, ...others] = ofType("ClassLabel");
  if (labelled === undefined) return withPlainLabels(file, image, passedOver(file, "images", image, otherImages));
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

/** The element feature of a list, in every form that `datasets` has written. Other features are returned unchanged. */
function elementOf(feature: Feature | readonly Feature[] | undefined): Feature | undefined {
  if (isList(feature)) return elementOf(feature[0]);
  const isOfList = feature?._type === "Sequence" || feature?._type === "List" || feature?._type === "LargeList";
  return isOfList ? elementOf(feature.feature) : feature;
}

// Array.isArray leaves read-only lists as they are.
const isList = (feature: Feature | readonly Feature[] | undefined): feature is readonly Feature[] =>
  Array.isArray(feature);

/** Adds a label column that is known by its name instead of a `ClassLabel` feature. */
function withPlainLabels(file: ParquetFile, image: string, remarks: readonly Remark[]): ImageColumns {
  const plain = leaves(file).filter(({ type }) => plainType.test(type));
  const [columns, lists] = [plain.filter(({ path }) => path.length === 1), plain.filter(isListOfPlain)];
  const named = (found: typeof plain): string[] => [...new Set(found.map(({ path }) => path[0]!))];
  const [label, ...others] = [...labelFieldsAmong(named([...columns, ...lists])), ...furtherLabels(named(columns))];
  if (label === undefined) return { image, remarks };
  return { image, label, remarks: [...remarks, ...passedOver(file, "labels", label, others)] };
}

const plainType = /^(INT32|INT64|BOOLEAN|DOUBLE|FLOAT|BYTE_ARRAY)$/;

const isListOfPlain = ({ path }: { readonly path: readonly string[] }): boolean =>
  path.length === 3 && path[1] === "list";

/** `fine_label` and the like; coarse ones come last, as in CIFAR-100. */
function furtherLabels(columns: readonly string[]): readonly string[] {
  const found = columns.filter((name) => /_labels?$/i.test(name) && labelFieldsAmong([name]).length === 0);
  const isCoarse = (name: string): boolean => /^(coarse|super)/i.test(name);
  return [...found.filter((name) => !isCoarse(name)), ...found.filter(isCoarse)];
}

function readFeatures(file: ParquetFile): Readonly<Record<string, Feature | readonly Feature[]>> | undefined {
  const text = file.metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  if (text === undefined) return undefined;
  try {
    const described = JSON.parse(text) as {
      readonly info?: { readonly features?: Readonly<Record<string, Feature | readonly Feature[]>> };
    };
    return described.info?.features;
  } catch (cause) {
    const why = (cause as Error).message;
    throw new UsageError(`Parquet file ${file.path}: its "huggingface" metadata is no JSON: ${why}`, { cause });
  }
}

function schemaColumns(file: ParquetFile): ImageColumns | undefined {
  const image = leaves(file).find(({ path }) => path.length === 2 && path[1] === "bytes")?.path[0];
  if (image === undefined) return undefined;
  return withPlainLabels(file, image, []);
}

function leaves(file: ParquetFile): { readonly path: readonly string[]; readonly type: string }[] {
  const columns = file.metadata.row_groups[0]?.columns ?? [];
  return columns.flatMap(({ meta_data: meta }) => (meta ? [{ path: meta.path_in_schema, type: meta.type }] : []));
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((element) => typeof element === "string");
}
