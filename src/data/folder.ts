import { type Dirent, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { findClassNames, findTemplates } from "./class-names.ts";
import { findClassesFile, nameInOrder, readClasses, readGivenClasses } from "./classes.ts";
import { imageExtensions, isImageName } from "./decode.ts";
import { splitNames } from "./listing.ts";
import type { ImageClass, ImageItem, ImageSource } from "./source.ts";

export interface ImageFolderOptions {
  /**
   * JSON file with class names, and head indices where there are any; see `readClasses` for its forms. Without it, the
   * nearest `classes.json` in the folder or up to three levels above is used where it knows any of the sub-folders, and
   * else a `classnames.txt` (one name a line, in the order of the sub-folders' names) in the folder or one level above.
   */
  readonly classesFile?: string;
}

/**
 * The images of a folder: one sub-folder a class (labels, in the order of the sub-folders' names), or, where no
 * sub-folder holds images, a plain folder (no labels). Sub-folders of a class are searched too; hidden files and files
 * without an image's extension are passed over. The order is by path (by UTF-16 code unit, so the same everywhere).
 *
 * Files are listed, not read: one that is no image comes to light in `openBatches`.
 *
 * @throws {UsageError} when the path is missing, is a file, holds no images or is a data set's root above its splits,
 * or the class file cannot be used.
 */
export function imageFolder(path: string, options: ImageFolderOptions = {}): ImageSource {
  checkFolder(path);
  const entries = list(path);
  const classes = entries
    .filter((entry) => isFolder(path, entry))
    .map((entry) => ({ folder: entry.name, files: imagesUnder(path, entry.name) }))
    .filter(({ files }) => files.length > 0);
  if (classes.length === 0) return unlabelled(path, entries);

  checkNotSplits(path, classes);
  const folders = classes.map(({ folder }) => folder);
  return {
    name: path,
    items: classes.flatMap(({ files }, label) => files.map((file) => toItem(path, file, label))),
    classes: nameClasses(path, folders, options.classesFile),
    ...templatesOf(path),
  };
}

function templatesOf(path: string): Pick<ImageSource, "templates"> {
  const templates = findTemplates(path);
  return templates === undefined ? {} : { templates };
}

interface ClassFolder {
  readonly folder: string;
  readonly files: readonly string[];
}

function unlabelled(path: string, entries: readonly Dirent[]): ImageSource {
  const files = entries.filter((entry) => isImage(entry)).map((entry) => entry.name);
  if (files.length > 0) {
    return { name: path, items: files.map((file) => toItem(path, file)), ...templatesOf(path) };
  }
  throw new UsageError(
    `Folder ${path} holds no images (${imageExtensions.join(", ")}). Give a folder with one sub-folder a class, ` +
      "or a folder of images.",
  );
}

function toItem(root: string, file: string, label?: number): ImageItem {
  const item = { id: file, location: { kind: "file", path: join(root, file) } } as const;
  return label === undefined ? item : { ...item, label };
}

function checkFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`Folder ${path} does not exist. Give a folder of images.`);
  if (!found.isDirectory()) throw new UsageError(`${path} is a file. Give the folder of images that holds it.`);
}

/** Entries that are not hidden, in the order of their names. */
function list(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.name.startsWith("."))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    throw new UsageError(`Folder ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Paths of all images under `root/folder`, relative to root, with forward slashes. */
function imagesUnder(root: string, folder: string): string[] {
  return list(join(root, folder)).flatMap((entry) => {
    const inside = `${folder}/${entry.name}`;
    if (isFolder(join(root, folder), entry)) return imagesUnder(root, inside);
    return isImage(entry) ? [inside] : [];
  });
}

/** Links to folders count: data sets are often assembled from links. */
function isFolder(parent: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return statSync(join(parent, entry.name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isImage(entry: Dirent): boolean {
  return !entry.isDirectory() && isImageName(entry.name);
}

/** Without this, the splits of a data set would quietly become its classes. */
function checkNotSplits(path: string, classes: readonly ClassFolder[]): void {
  const isSplit = ({ folder, files }: ClassFolder) =>
    splitNames.has(folder.toLowerCase()) && files.every((file) => file.split("/").length > 2);
  if (!classes.every(isSplit)) return;
  const splits = classes.map(({ folder }) => join(path, folder));
  throw new UsageError(`${path} holds the splits of a data set, not classes. Give one of them: ${splits.join(", ")}.`);
}

/** The classes as the nearest file that knows them calls them: the one given, `classes.json`, `classnames.txt`. */
function nameClasses(path: string, folders: readonly string[], given: string | undefined): readonly ImageClass[] {
  if (given !== undefined) return readGivenClasses(given, folders, path);
  const found = findClassesFile(path);
  // A file found by itself that knows none of these folders belongs to other data.
  const classes = found && readClasses(found, folders);
  if (classes) return classes;
  const classNames = findClassNames(path);
  if (classNames) return nameInOrder(`Class names ${classNames.path}`, classNames.names, folders);
  return folders.map((folder) => ({ folder, name: folder }));
}
