import { basename, extname } from "node:path";
import type { ImageSource } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { linesOf, readJson, readText } from "../../text.ts";
import { counted, some } from "../../words.ts";

/** Captions of a source's images. */
export interface Captions {
  /** By the image's place in `source.items`. */
  readonly byImage: ReadonlyMap<number, readonly string[]>;
  /** Captions left out and the reasons, one sentence each. */
  readonly faults: readonly string[];
}

type Entry = readonly [file: string, caption: string];

/**
 * Reads captions and finds their images by the source's path, or by a file name that only one image has. Formats:
 * COCO's annotations; JSON from file name to a caption or a list of captions; two columns separated by tabs
 * (Flickr30k's `name.jpg#0`) or commas.
 *
 * @throws UsageError when the file cannot be read or is of another form, or none of its images is the source's
 */
export function readCaptions(path: string, source: ImageSource): Captions {
  const entries = read(path);
  const paths = new Map(source.items.map(({ id }, i) => [id, i]));
  const names = new Map<string, readonly number[]>();
  source.items.forEach(({ id }, i) => {
    names.set(nameIn(id), [...(names.get(nameIn(id)) ?? []), i]);
  });
  const byImage = new Map<number, string[]>();
  const [unmatched, ambiguous] = [new Set<string>(), new Set<string>()];
  for (const [file, caption] of entries) {
    const byName = names.get(basename(file)) ?? [];
    const place = paths.get(file) ?? (byName.length === 1 ? byName[0] : undefined);
    if (place !== undefined) byImage.set(place, [...(byImage.get(place) ?? []), caption]);
    else (byName.length > 1 ? ambiguous : unmatched).add(file);
  }
  if (byImage.size > 0) {
    const left = (files: ReadonlySet<string>, why: string): readonly string[] =>
      files.size === 0
        ? []
        : [`The captions of ${counted(files.size, "file")} in ${path} are left out (${some(files)}): ${why}.`];
    return {
      byImage,
      faults: [
        ...left(unmatched, `there are no such images in ${source.name}`),
        ...left(
          ambiguous,
          `several images of ${source.name} have these names; give their paths, as ${source.items[0]!.id}`,
        ),
      ],
    };
  }
  const [shared] = ambiguous;
  if (shared !== undefined)
    throw new UsageError(
      `${path}: several images of ${source.name} are called ${shared}; give their paths, as ${source.items[0]!.id}.`,
    );
  const [first] = unmatched;
  throw new UsageError(
    first === undefined
      ? `${path} holds no captions.`
      : `${path}: none of the images it captions, such as ${first}, is among ${source.name}'s, such as ${source.items[0]?.id}.`,
  );
}

/** File name in a source's id, without folders and without the archive that holds it. */
function nameIn(id: string): string {
  return basename(id.slice(id.indexOf(": ") + 1).trim());
}

/** Headings of a table's first column. */
const headings = /^(image|images|image_?name|file|file_?name|filepath|path)$/i;

function read(path: string): readonly Entry[] {
  switch (extname(path)) {
    case ".json":
      return fromJson(path, readJson(path));
    case ".csv":
      return table(path, ",");
    default:
      return table(path, "\t");
  }
}

function table(path: string, separator: string): readonly Entry[] {
  const entries = lines(path).map((line) => columns(path, line, separator));
  return headings.test(entries[0]?.[0] ?? "") ? entries.slice(1) : entries;
}

interface CocoFile {
  readonly images: readonly { readonly id: number; readonly file_name: string }[];
  readonly annotations: readonly { readonly image_id: number; readonly caption: string }[];
}

function fromJson(path: string, json: unknown): readonly Entry[] {
  if (isCoco(json)) {
    const files = new Map(json.images.map(({ id, file_name }) => [id, file_name]));
    return json.annotations.map(({ image_id, caption }) => [files.get(image_id) ?? `image ${image_id}`, caption]);
  }
  if (!isMap(json))
    throw new UsageError(
      `${path} holds no captions that can be read: COCO's annotations, or {"photo.jpg": "a caption", ...}.`,
    );
  return Object.entries(json).flatMap(([file, texts]) => [texts].flat().map((text): Entry => [file, text]));
}

function isCoco(json: unknown): json is CocoFile {
  const { images, annotations } = (json ?? {}) as Partial<CocoFile>;
  return Array.isArray(images) && Array.isArray(annotations) && annotations.every(({ caption }) => isText(caption));
}

const isText = (value: unknown): value is string => typeof value === "string";

function isMap(json: unknown): json is Readonly<Record<string, string | readonly string[]>> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return false;
  return Object.values(json).every((value) => [value].flat().every(isText));
}

function lines(path: string): readonly string[] {
  return linesOf(readText(path)).filter((line) => line.trim() !== "");
}

function columns(path: string, line: string, separator: string): Entry {
  const at = line.indexOf(separator);
  if (at < 0)
    throw new UsageError(
      `${path}: "${line.slice(0, 60)}" has no ${separator === "," ? "comma" : "tab"} behind a file name.`,
    );
  const caption = line.slice(at + 1).trim();
  const quoted = /^"(.*)"$/s.exec(caption)?.[1]?.replaceAll('""', '"');
  return [line.slice(0, at).replace(/#\d+$/, ""), quoted ?? caption];
}
