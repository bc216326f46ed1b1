import { basename, extname } from "node:path";
import type { ImageSource } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { linesOf, readJson, readText } from "../text.ts";

/** Captions of a source's images. */
export interface Captions {
  /** By the image's place in `source.items`. */
  readonly byImage: ReadonlyMap<number, readonly string[]>;
  /** Files that have captions and are no image of the source. */
  readonly unmatched: number;
}

type Entry = readonly [file: string, caption: string];

/**
 * Reads captions and finds the images that they are of, by the path that the source knows them by or by their file name:
 * COCO's annotations, or JSON that gives each file name a caption or a list of them; two columns with tabs between them
 * (Flickr30k's `name.jpg#0`) or commas.
 *
 * @throws UsageError when the file cannot be read or is of another form, or none of its images is the source's
 */
export function readCaptions(path: string, source: ImageSource): Captions {
  const entries = read(path);
  const places = new Map(
    source.items.flatMap(({ id }, i) => [
      [basename(id), i],
      [id, i],
    ]),
  );
  const byImage = new Map<number, string[]>();
  const unmatched = new Set<string>();
  for (const [file, caption] of entries) {
    const place = places.get(file) ?? places.get(basename(file));
    if (place === undefined) unmatched.add(file);
    else byImage.set(place, [...(byImage.get(place) ?? []), caption]);
  }
  if (byImage.size > 0) return { byImage, unmatched: unmatched.size };
  const [first] = unmatched;
  throw new UsageError(
    first === undefined
      ? `${path} holds no captions.`
      : `${path}: none of the images it captions, such as ${first}, is among ${source.name}'s, such as ${source.items[0]?.id}.`,
  );
}

function read(path: string): readonly Entry[] {
  switch (extname(path)) {
    case ".json":
      return fromJson(path, readJson(path));
    case ".csv":
      return lines(path).map((line) => columns(path, line, ","));
    default:
      return lines(path).map((line) => columns(path, line, "\t"));
  }
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
