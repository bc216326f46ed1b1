import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { findClassNames, findTemplates } from "./class-names.ts";
import { imageExtensions, isImageName } from "./decode.ts";
import type { ImageItem, ImageSource } from "./source.ts";
import { tarItems } from "./webdataset-samples.ts";

/**
 * The images of a WebDataset: tar files whose entries come in samples, the entries that share a name up to its first
 * dot. A sample's image is `KEY.jpg` (`.jpeg`, `.png`, `.webp`, ...; the first of these where it has several), its label
 * the number in `KEY.cls`, its caption the text of `KEY.txt` or the `caption` of `KEY.json`. Samples without an image
 * are passed over. Class names are the lines of `classnames.txt` beside the tars or one level above, as CLIP_benchmark
 * lays them out (without the file, the label's digits), prompt templates those of
 * `zeroshot_classification_templates.txt`.
 *
 * Nothing is unpacked: listing reads the headers and the labels, and images are read where they lie, in any order.
 *
 * @param path A tar file; a folder of tar files (one split), ordered by number (`2.tar` before `10.tar`); or a folder
 * with one such folder.
 * @throws {UsageError} when the path holds several splits (the message names them) or no images, a shard that
 * `nshards.txt` counts is missing, a tar file cannot be read or is cut short, or a label is missing or outside the class
 * names.
 */
export function webDataset(path: string): ImageSource {
  const { folder, tars } = findShards(path);
  const classNames = findClassNames(folder);
  const templates = findTemplates(folder);
  // Ids start at the folder of the class names, so that a split and one of its tars name an image alike.
  const root = classNames === undefined ? folder : dirname(classNames.path);
  const items = tars.flatMap((tar) => tarItems(tar, idOf(root, tar), classNames));
  if (items.length === 0) {
    throw new UsageError(
      `${path} holds no images: no tar entry ends in ${imageExtensions.map((extension) => `.${extension}`).join(", ")}.`,
    );
  }
  checkAllOrNoneLabelled(items);
  const names = items[0]!.label === undefined ? undefined : (classNames?.names ?? digits(items));
  return {
    name: path,
    items,
    ...(names && { classes: names.map((name) => ({ folder: name, name })) }),
    ...(templates && { templates }),
  };
}

/** Whether a path is what `webDataset` takes: a tar file, or a folder of such or of folders of such. */
export function isWebDataset(path: string): boolean {
  if (!isFolder(path)) return path.endsWith(".tar");
  return tarsIn(path).length > 0 || splitsIn(path).length > 0;
}

function findShards(path: string): { readonly folder: string; readonly tars: readonly string[] } {
  if (!isFolder(path)) return { folder: dirname(path), tars: [path] };
  if (tarsIn(path).length > 0) return { folder: path, tars: completeShards(path) };
  const splits = splitsIn(path);
  if (splits.length === 1) return { folder: splits[0]!, tars: completeShards(splits[0]!) };
  throw new UsageError(
    splits.length === 0
      ? `Folder ${path} holds no tar files.`
      : `${path} holds the splits of a data set. Give one of them: ${splits.join(" or ")}.`,
  );
}

/** A part of a data set must not pass for the whole: an interrupted download leaves shards out. */
function completeShards(folder: string): string[] {
  const tars = tarsIn(folder);
  const countFile = join(folder, "nshards.txt");
  if (!existsSync(countFile)) return tars;
  const count = Number(readFileSync(countFile, "utf8"));
  if (tars.length === count) return tars;
  throw new UsageError(
    `Folder ${folder} holds ${tars.length} tar files, but ${countFile} counts ${count}. Complete it.`,
  );
}

function tarsIn(folder: string): string[] {
  return list(folder)
    .filter((name) => name.endsWith(".tar"))
    .sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))
    .map((name) => join(folder, name));
}

/** Folders of tars that are no class folders with an archive beside their images. */
function splitsIn(folder: string): string[] {
  return list(folder)
    .map((name) => join(folder, name))
    .filter((path) => isFolder(path) && tarsIn(path).length > 0 && !list(path).some(isImageName))
    .sort();
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch (cause) {
    throw new UsageError(`Folder ${folder} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Orders numbers within names by value. */
function sortKey(name: string): string {
  return name.replace(/\d+/g, (number) => number.padStart(16, "0"));
}

function idOf(root: string, tar: string): string {
  return relative(resolve(root), resolve(tar)).replaceAll("\\", "/") || basename(tar);
}

function checkAllOrNoneLabelled(items: readonly ImageItem[]): void {
  const labelled = items.find(({ label }) => label !== undefined);
  const unlabelled = items.find(({ label }) => label === undefined);
  if (!labelled || !unlabelled) return;
  throw new UsageError(`${unlabelled.id} has no label (.cls), though ${labelled.id} has one. Add or remove labels.`);
}

/** Names for labels without a file that says more. */
function digits(items: readonly ImageItem[]): string[] {
  const most = items.reduce((most, { label = 0 }) => Math.max(most, label), 0);
  return Array.from({ length: most + 1 }, (_, label) => `${label}`);
}
