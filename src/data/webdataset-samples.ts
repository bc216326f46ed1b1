import { basename } from "node:path";
import { UsageError } from "../errors.ts";
import { refuseLfsPointer } from "../lfs.ts";
import { decodeText } from "../text.ts";
import { imageExtensions, isImageName } from "./decode.ts";
import { type FoundItem, type Label, labelFieldsAmong, readLabel } from "./labels.ts";
import { isAboutData, mayBeImage } from "./left-out.ts";
import { type TarEntry, tarEntries } from "./tar.ts";
import type { WebDatasetTally } from "./webdataset-tally.ts";

interface SampleFile {
  readonly entry: TarEntry;
  /** Content of a small file about the image. */
  readonly text: string;
}

/** The entries of a tar file that share a name up to its first dot, by what follows it (lower case). */
type Sample = Map<string, SampleFile>;

/** Extensions of the small files that are read while listing. */
const textExtensions: ReadonlySet<string> = new Set(["cls", "txt", "json"]);

/**
 * The images of one tar file of a WebDataset, with their labels and captions; see `webDataset`.
 *
 * @param id How the tar file is called in the items' ids.
 * @param tally Is told of what is left out.
 * @throws {UsageError} naming the tar and the entry: a file occurs twice, a label is none, or a JSON file is none.
 */
export function tarItems(tar: string, id: string, tally: WebDatasetTally): FoundItem[] {
  return [...samples(tar, id, tally).values()].flatMap((sample) =>
    imagesOf(sample, id, tally).map(({ entry, part }): FoundItem => {
      const label = labelOf(sample, part, tar);
      const caption = captionOf(sample, part, tar);
      const { name, offset, length } = entry;
      return {
        id: `${id}: ${name}`,
        ...(label !== undefined && { label }),
        ...(caption !== undefined && { caption }),
        location: { kind: "slice", path: tar, entry: name, offset, length },
      };
    }),
  );
}

function samples(tar: string, id: string, tally: WebDatasetTally): ReadonlyMap<string, Sample> {
  const samples = new Map<string, Sample>();
  for (const entry of tarEntries(tar)) {
    const { key, extension } = split(entry.name);
    if (key === undefined || extension === undefined) {
      if (!basename(entry.name).startsWith(".") && mayBeImage(entry.name)) tally.unnamed.push(`${id}: ${entry.name}`);
      continue;
    }
    const sample: Sample = samples.get(key) ?? new Map();
    if (sample.has(extension)) throw new UsageError(`${tar}: ${entry.name} occurs twice. Pack every file once.`);
    const isText = textExtensions.has(extension.slice(extension.lastIndexOf(".") + 1));
    sample.set(extension, { entry, text: isText ? textOf(entry, tar) : "" });
    samples.set(key, sample);
  }
  return samples;
}

/** @throws {UsageError} on a Git LFS pointer, which would pass for a class's name */
function textOf(entry: TarEntry, tar: string): string {
  const bytes = entry.read();
  refuseLfsPointer(bytes, `${tar}: ${entry.name}`);
  return decodeText(bytes).trim();
}

/** The key is the path up to the first dot of the file's name; hidden files have none. */
function split(name: string): { readonly key?: string; readonly extension?: string } {
  const file = basename(name);
  const dot = file.indexOf(".");
  if (dot <= 0) return {};
  return { key: name.slice(0, name.length - file.length + dot), extension: file.slice(dot + 1).toLowerCase() };
}

interface SampleImage {
  readonly entry: TarEntry;
  /** The part between the sample's key and the last extension, including its dot. Usually empty. */
  readonly part: string;
}

/**
 * The images of a sample: `KEY.jpg` and the like. If there are only images with longer extensions (`KEY.a.jpg`), their names
 * contain dots. One such image is the sample's image. Several are separate images where each has its own label files.
 */
function imagesOf(sample: Sample, id: string, tally: WebDatasetTally): readonly SampleImage[] {
  const plain = imageExtensions.flatMap((extension) => sample.get(extension)?.entry ?? []);
  const [first, ...others] = plain;
  if (first !== undefined) {
    if (others.length > 0) tally.several.push(`${id}: ${plain.map(({ name }) => basename(name)).join(" and ")}`);
    return [{ entry: first, part: "" }];
  }
  const dotted = [...sample].flatMap(([extension, { entry }]): SampleImage[] =>
    isImageName(extension) ? [{ entry, part: extension.slice(0, extension.lastIndexOf(".") + 1) }] : [],
  );
  const names = [...sample.values()].map(({ entry }) => entry.name);
  if (dotted.length === 0) {
    const hasText = [...textExtensions].some((extension) => sample.has(extension));
    if (names.some(mayBeImage) || (hasText && !names.every(isAboutData)))
      tally.withoutImage.push(`${id}: ${names.join(" and ")}`);
    return [];
  }
  const parts = new Set(dotted.map(({ part }) => part));
  const shared = [...textExtensions].some((extension) => sample.has(extension));
  if (dotted.length > 1 && (parts.size < dotted.length || shared)) {
    tally.withoutImage.push(`${id}: ${names.join(" and ")}`);
    return [];
  }
  tally.dotted.push(...dotted.map(({ entry }) => `${id}: ${entry.name}`));
  return dotted;
}

/** A file of an image with this extension. */
function fileOf(sample: Sample, part: string, extension: string): SampleFile | undefined {
  return sample.get(`${part}${extension}`) ?? sample.get(extension);
}

function labelOf(sample: Sample, part: string, tar: string): Label | undefined {
  const file = fileOf(sample, part, "cls");
  if (file !== undefined) {
    // Here -1 is no class, since a label file was written for this image.
    if (file.text === "-1") throw new UsageError(`${tar}: ${file.entry.name} holds "-1", which is no label.`);
    return readLabel(file.text, `${tar}: ${file.entry.name}`);
  }
  const json = jsonOf(sample, part, tar);
  const given = Object.keys(json.fields).filter((name) => json.fields[name] !== null);
  const [field] = labelFieldsAmong(given);
  return field === undefined ? undefined : readLabel(json.fields[field], `${tar}: ${json.name}, ${field},`);
}

function captionOf(sample: Sample, part: string, tar: string): string | undefined {
  const plain = fileOf(sample, part, "txt");
  if (plain !== undefined) return plain.text;
  const { caption } = jsonOf(sample, part, tar).fields;
  return typeof caption === "string" ? caption : undefined;
}

interface JsonFile {
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The JSON object about the image; an empty one if there is none. */
function jsonOf(sample: Sample, part: string, tar: string): JsonFile {
  const file = fileOf(sample, part, "json");
  if (file === undefined) return { name: "", fields: {} };
  const { name } = file.entry;
  try {
    const value: unknown = JSON.parse(file.text);
    const isObject = typeof value === "object" && value !== null;
    return { name, fields: isObject ? (value as Readonly<Record<string, unknown>>) : {} };
  } catch (cause) {
    throw new UsageError(`${tar}: ${name} is no JSON: ${(cause as Error).message}`, { cause });
  }
}
