import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { readText } from "../text.ts";
import { counted, some } from "../words.ts";
import { findClassNames, findTemplates } from "./class-names.ts";
import { imageExtensions, isImageName } from "./decode.ts";
import { sourceOf } from "./labels.ts";
import { isFolder, namesIn, splitNames } from "./listing.ts";
import type { ImageSource, Remark } from "./source.ts";
import { tarItems } from "./webdataset-samples.ts";
import { WebDatasetTally } from "./webdataset-tally.ts";

/**
 * The images of a WebDataset: tar files whose entries come in samples, the entries that share a name up to its first
 * dot. A sample's image is `KEY.jpg` (`.jpeg`, `.png`, `.webp`, ...; the first of these where it has several), its label
 * the number or name in `KEY.cls`, or in the `label` of `KEY.json` (`labelFieldsAmong` has other names of it), its caption the
 * text of `KEY.txt` or the `caption` of `KEY.json`. Omissions are in the source's remarks. Class names are the lines of
 * `classnames.txt` beside the tars or one level above, as CLIP_benchmark lays them out. Without the file, they are the
 * labels themselves. Prompt templates are those of `zeroshot_classification_templates.txt`.
 *
 * Nothing is unpacked: listing reads the headers and the labels, and images are read where they lie, in any order.
 *
 * @param path A tar file; a folder of tar files (one split), ordered by number (`2.tar` before `10.tar`); or the folder
 * above, where it has one split only (`train`, `val`, `test`, ...).
 * @throws {UsageError} when the path holds several splits (the message names them) or no images, a shard that
 * `nshards.txt` counts is missing, a tar file cannot be read or is cut short, or a label is missing or outside the class
 * names.
 */
export function webDataset(path: string): ImageSource {
  const { folder, tars } = findShards(path);
  const classNames = findClassNames(folder);
  // Ids start at the folder of the class names, so that a split and one of its tars name an image alike.
  const root = classNames === undefined ? folder : dirname(classNames.path);
  const tally = new WebDatasetTally();
  const items = tars.flatMap((tar) => tarItems(tar, idOf(root, tar), tally));
  const remarks = [...(isFolder(path) ? packed(folder) : []), ...tally.remarks(path)];
  if (items.length === 0) {
    const [first] = remarks;
    throw new UsageError(
      first === undefined
        ? `${path} holds no images: no tar entry ends in ${imageExtensions.map((extension) => `.${extension}`).join(", ")}.`
        : `No image is left. ${first.message}`,
    );
  }
  return sourceOf({ name: path, items, classNames, templates: findTemplates(folder), remarks });
}

/** Archives beside the tar files that cannot be read where they lie. */
function packed(folder: string): readonly Remark[] {
  const names = namesIn(folder).filter((name) => /\.(tar\.\w+|tgz|tbz2|txz)$/i.test(name));
  if (names.length === 0) return [];
  const message =
    `${folder}: ${counted(names.length, "archive is", "archives are")} compressed and left out (${some(names)}). ` +
    "Decompress them.";
  return [{ kind: "fault", message }];
}

/** Whether `webDataset` takes a path: a tar file, a folder of tar files, or a folder of such folders. */
export function isWebDataset(path: string): boolean {
  if (!isFolder(path)) return path.endsWith(".tar");
  if (tarsIn(path).length === 0) return splitsIn(path).length > 0;
  // A folder of images often still holds the archive that they came in.
  return !namesIn(path).some((name) => isImageName(name) || isFolder(join(path, name)));
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

/** Rejects a data set with missing shards, as an interrupted download leaves it. */
function completeShards(folder: string): string[] {
  const tars = tarsIn(folder);
  const countFile = join(folder, "nshards.txt");
  if (!existsSync(countFile)) return tars;
  const count = Number(readText(countFile));
  if (tars.length === count) return tars;
  throw new UsageError(
    `Folder ${folder} holds ${tars.length} tar files, but ${countFile} counts ${count}. Complete it.`,
  );
}

function tarsIn(folder: string): string[] {
  return namesIn(folder)
    .filter((name) => name.endsWith(".tar"))
    .sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))
    .map((name) => join(folder, name));
}

function splitsIn(folder: string): string[] {
  return namesIn(folder)
    .filter((name) => splitNames.has(name))
    .map((name) => join(folder, name))
    .filter((path) => isFolder(path) && tarsIn(path).length > 0);
}

/** Orders numbers within names by value. */
function sortKey(name: string): string {
  return name.replace(/\d+/g, (number) => number.padStart(16, "0"));
}

function idOf(root: string, tar: string): string {
  return relative(resolve(root), resolve(tar)).replaceAll("\\", "/");
}
