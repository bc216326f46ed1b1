import { type Dirent, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { counted, some } from "../words.ts";
import { findClassNames, findTemplates } from "./class-names.ts";
import { findClassesFile, type NamedClasses, nameInOrder, readClasses, readGivenClasses } from "./classes.ts";
import { imageExtensions, isImageName } from "./decode.ts";
import { leftOutByName, mayBeImage } from "./left-out.ts";
import { splitNames } from "./listing.ts";
import { withRemarks } from "./remarks.ts";
import type { ImageItem, ImageSource, Remark } from "./source.ts";

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
 * without an image's extension are skipped. Sub-folders without images are no classes, unless a class file names them.
 * Skipped files that may be images are in the source's remarks. The order is by path (by UTF-16 code unit, so the same
 * everywhere).
 *
 * Files are listed, not read: one that is no image comes to light in `openBatches`.
 *
 * @throws {UsageError} when the path is missing, is a file, holds no images or is a data set's root above its splits,
 * or the class file cannot be used.
 *
 * @example
 * ```ts
 * import { imageFolder } from "lore-vision";
 *
 * const pets = imageFolder("pets"); // pets/red cat/1.jpg, pets/blue dog/2.jpg ...
 * console.log(pets.items.length, pets.classes?.map(({ name }) => name));
 * ```
 */
export function imageFolder(path: string, options: ImageFolderOptions = {}): ImageSource {
  checkFolder(path);
  const entries = list(path);
  const all = entries
    .filter((entry) => isFolder(path, entry))
    .map((entry): ClassFolder => ({ folder: entry.name, ...sorted(filesUnder(path, entry.name)) }));
  const classes = all.filter(({ files }) => files.length > 0);
  const top = sorted(entries.filter((entry) => !isFolder(path, entry)).map(({ name }) => name));
  if (classes.length === 0) return unlabelled(path, top, options.classesFile);

  checkNotSplits(path, classes);
  const folders = classes.map(({ folder }) => folder);
  const empty = all.filter(({ files }) => files.length === 0).map(({ folder }) => folder);
  const named = nameClasses(path, { folders, empty }, options.classesFile);
  const labels = new Map(named.classes.map(({ folder }, label) => [folder, label]));
  const source = {
    name: path,
    items: classes.flatMap(({ folder, files }) => files.map((file) => toItem(path, file, labels.get(folder)))),
    classes: named.classes,
    ...templatesOf(path),
  };
  const [kept, left] = [empty.filter((folder) => labels.has(folder)), empty.filter((folder) => !labels.has(folder))];
  return withRemarks(source, [
    ...emptyClasses(path, kept),
    ...emptyFolders(path, left, named.classes.length),
    ...looseImages(path, top.files),
    ...leftOutByName(
      path,
      all.flatMap(({ others }) => others),
    ),
    ...named.remarks,
  ]);
}

function emptyClasses(path: string, empty: readonly string[]): readonly Remark[] {
  if (empty.length === 0) return [];
  const message = `${path}: ${counted(empty.length, "class has", "classes have")} no images (${some(empty)}). Is the data complete?`;
  return [{ kind: "fault", message }];
}

function emptyFolders(path: string, empty: readonly string[], classes: number): readonly Remark[] {
  if (empty.length === 0) return [];
  const message =
    `${path}: ${counted(empty.length, "sub-folder holds", "sub-folders hold")} no images (${some(empty)}), so that there ` +
    `${classes === 1 ? "is 1 class" : `are ${classes} classes`} instead of ${classes + empty.length}, which makes accuracy higher. ` +
    "Put images there, or remove what is no class.";
  return [{ kind: "fault", message }];
}

function looseImages(path: string, files: readonly string[]): readonly Remark[] {
  if (files.length === 0) return [];
  const message =
    `${path}: ${counted(files.length, "image lies", "images lie")} beside the classes' folders and ` +
    `${files.length === 1 ? "is" : "are"} left out (${some(files)}). Put them into folders of their classes.`;
  return [{ kind: "fault", message }];
}

function templatesOf(path: string): Pick<ImageSource, "templates"> {
  const templates = findTemplates(path);
  return templates === undefined ? {} : { templates };
}

/** Files of a folder, relative to the data's root. */
interface Files {
  /** Images by their names. */
  readonly files: readonly string[];
  /** Files that may be images under other names. */
  readonly others: readonly string[];
}

interface ClassFolder extends Files {
  readonly folder: string;
}

function sorted(all: readonly string[]): Files {
  const files = all.filter(isImageName);
  return { files, others: all.filter((name) => !isImageName(name) && mayBeImage(name)) };
}

function unlabelled(path: string, { files, others }: Files, classesFile: string | undefined): ImageSource {
  if (files.length > 0) {
    const source = { name: path, items: files.map((file) => toItem(path, file)), ...templatesOf(path) };
    return withRemarks(source, [...leftOutByName(path, others), ...unusedClasses(path, classesFile)]);
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

/** Remarks on class names for images without labels. */
export function unusedClasses(data: string, classesFile: string | undefined): readonly Remark[] {
  if (classesFile === undefined) return [];
  return [
    { kind: "fault", message: `The images of ${data} have no labels: the class file ${classesFile} is not used.` },
  ];
}

/** Paths of all files under `root/folder`, relative to root, with forward slashes. */
function filesUnder(root: string, folder: string): string[] {
  return list(join(root, folder)).flatMap((entry) => {
    const inside = `${folder}/${entry.name}`;
    return isFolder(join(root, folder), entry) ? filesUnder(root, inside) : [inside];
  });
}

/** Links to folders count: data sets are often assembled from links. */
function isFolder(parent: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return statSync(join(parent, entry.name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Rejects the root of a data set, whose splits would silently become classes. */
function checkNotSplits(path: string, classes: readonly ClassFolder[]): void {
  const isSplit = ({ folder, files }: ClassFolder) =>
    splitNames.has(folder.toLowerCase()) && files.every((file) => file.split("/").length > 2);
  const found = classes.filter(isSplit);
  // Folders beside two splits are not classes.
  if (found.length < classes.length && found.length < 2) return;
  const splits = found.map(({ folder }) => join(path, folder));
  throw new UsageError(`${path} holds the splits of a data set, not classes. Give one of them: ${splits.join(", ")}.`);
}

/** The classes as named by the nearest file that knows them: the given one, `classes.json`, `classnames.txt`. */
function nameClasses(
  path: string,
  { folders, empty }: { readonly folders: readonly string[]; readonly empty: readonly string[] },
  given: string | undefined,
): NamedClasses {
  if (given !== undefined) return readGivenClasses(given, folders, path, empty);
  const found = findClassesFile(path);
  // A file that was found, not given, and knows none of these folders belongs to other data.
  const classes = found && readClasses(found, folders, { empty });
  if (classes) return classes;
  const classNames = findClassNames(path);
  const inOrder = classNames && nameInOrder(`Class names ${classNames.path}`, classNames.names, folders, empty);
  return { classes: inOrder ?? folders.map((folder) => ({ folder, name: folder })), remarks: [] };
}
