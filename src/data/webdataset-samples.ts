import { basename } from "node:path";
import { UsageError } from "../errors.ts";
import type { ClassNames } from "./class-names.ts";
import { imageExtensions } from "./decode.ts";
import type { ImageItem } from "./source.ts";
import { type TarEntry, tarEntries } from "./tar.ts";

/** The entries of a tar file that share a name up to its first dot, by what follows it (lower case). */
type Sample = Map<string, { readonly entry: TarEntry; readonly text: string }>;

/** Extensions of the small files that are read while listing. */
const textExtensions: ReadonlySet<string> = new Set(["cls", "txt", "json"]);

/**
 * The images of one tar file of a WebDataset, with their labels and captions; see `webDataset`.
 *
 * @param id How the tar file is called in the items' ids.
 * @throws {UsageError} naming the tar and the entry: a file occurs twice, a label is no whole number or outside the class
 * names, or a JSON file is none.
 */
export function tarItems(tar: string, id: string, classNames: ClassNames | undefined): ImageItem[] {
  return [...samples(tar).values()].flatMap((sample): ImageItem[] => {
    const image = imageExtensions.map((extension) => sample.get(extension)).find((file) => file !== undefined)?.entry;
    if (image === undefined) return [];
    const label = labelOf(sample, tar, classNames);
    const caption = captionOf(sample, tar);
    const { name, offset, length } = image;
    return [
      {
        id: `${id}: ${name}`,
        ...(label !== undefined && { label }),
        ...(caption !== undefined && { caption }),
        location: { kind: "slice", path: tar, entry: name, offset, length },
      },
    ];
  });
}

function samples(tar: string): ReadonlyMap<string, Sample> {
  const samples = new Map<string, Sample>();
  for (const entry of tarEntries(tar)) {
    const { key, extension } = split(entry.name);
    if (key === undefined || extension === undefined) continue;
    const sample: Sample = samples.get(key) ?? new Map();
    if (sample.has(extension)) throw new UsageError(`${tar}: ${entry.name} occurs twice. Pack every file once.`);
    sample.set(extension, { entry, text: textExtensions.has(extension) ? entry.read().toString("utf8").trim() : "" });
    samples.set(key, sample);
  }
  return samples;
}

/** The key is the path up to the first dot of the file's name; hidden files have none. */
function split(name: string): { readonly key?: string; readonly extension?: string } {
  const file = basename(name);
  const dot = file.indexOf(".");
  if (dot <= 0) return {};
  return { key: name.slice(0, name.length - file.length + dot), extension: file.slice(dot + 1).toLowerCase() };
}

function labelOf(sample: Sample, tar: string, classNames: ClassNames | undefined): number | undefined {
  const file = sample.get("cls");
  if (file === undefined) return undefined;
  const { entry, text } = file;
  if (!/^\d+$/.test(text)) {
    throw new UsageError(
      `${tar}: ${entry.name} holds "${text.slice(0, 40)}", which is no label. Labels are whole numbers from 0.`,
    );
  }
  const label = Number(text);
  if (classNames === undefined || label < classNames.names.length) return label;
  throw new UsageError(
    `${tar}: ${entry.name} holds the label ${label}, but ${classNames.path} names ${classNames.names.length} classes ` +
      `(labels 0 to ${classNames.names.length - 1}). Correct one of them.`,
  );
}

function captionOf(sample: Sample, tar: string): string | undefined {
  const plain = sample.get("txt");
  if (plain !== undefined) return plain.text;
  const json = sample.get("json");
  if (json === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(json.text);
    const hasCaption = typeof value === "object" && value !== null && "caption" in value;
    return hasCaption && typeof value.caption === "string" ? value.caption : undefined;
  } catch (cause) {
    throw new UsageError(`${tar}: ${json.entry.name} is no JSON: ${(cause as Error).message}`, { cause });
  }
}
