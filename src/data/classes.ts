import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { readJson } from "../text.ts";
import { counted, some } from "../words.ts";
import { withRemarks } from "./remarks.ts";
import type { ImageClass, ImageSource, Remark } from "./source.ts";

/** How many folders above the data are searched for a class file. */
const LEVELS_ABOVE = 3;

/**
 * The nearest `classes.json` in `folder` or up to three levels above it; undefined where there is none. (The data's
 * own folder is usually one split of several beside the file.)
 */
export function findClassesFile(folder: string): string | undefined {
  let current = resolve(folder);
  for (let level = 0; level <= LEVELS_ABOVE; level++) {
    const candidate = join(current, "classes.json");
    if (existsSync(candidate)) return candidate;
    current = dirname(current);
  }
  return undefined;
}

/** Classes as a file names them, and remarks on what it leaves open. */
export interface NamedClasses {
  readonly classes: readonly ImageClass[];
  readonly remarks: readonly Remark[];
}

/** Content of a class file: names in the order of the classes, or entries by folder. */
type ClassesFile =
  | { readonly kind: "names"; readonly names: readonly string[] }
  | { readonly kind: "folders"; readonly entries: ReadonlyMap<string, ImageClass> };

/**
 * The classes of these folders, in their order, as a class file calls them. The file is JSON: an array of names, one a
 * folder in this order; an object `{ FOLDER: NAME, ... }`; or an array of `{ "folder" or "wnid": string, "name"?:
 * string, "index" or "imagenetIndex"?: integer }`, where the index is the row of a fixed classification head. Folders that
 * it does not mention keep their own names, with a remark.
 *
 * @param options.unnamed what a folder is that the file does not mention
 * @param options.empty folders that hold nothing: those that the file names are classes all the same, in their place
 * @returns undefined when the file speaks of folders, but of none of these.
 * @throws {UsageError} when the file is missing, is no JSON, or has another form or another number of names; the
 * message names the entry.
 */
export function readClasses(
  file: string,
  folders: readonly string[],
  { unnamed = "names", empty = [] }: ReadClassesOptions = {},
): NamedClasses | undefined {
  const content = readClassesFile(file);
  if (content.kind === "names")
    return { classes: nameInOrder(`Class file ${file}`, content.names, folders, empty), remarks: [] };
  const { entries } = content;
  if (!folders.some((folder) => entries.has(folder))) return undefined;
  const all = merged(
    folders,
    empty.filter((folder) => entries.has(folder)),
  );
  const missing = all.filter((folder) => !entries.has(folder));
  const known = all.length - missing.length;
  return {
    classes: all.map((folder) => entries.get(folder) ?? { folder, name: folder }),
    remarks: [
      ...(missing.length > 0 ? [{ kind: unnamed, message: withoutName(file, missing, all.length) }] : []),
      ...(entries.size > known ? [{ kind: "fact", message: notHere(file, entries.size, known) } as const] : []),
    ],
  };
}

interface ReadClassesOptions {
  readonly unnamed?: "fault" | "names";
  readonly empty?: readonly string[];
}

/** In the order of their names. */
function merged(folders: readonly string[], empty: readonly string[]): readonly string[] {
  return empty.length === 0 ? folders : [...folders, ...empty].sort();
}

/** The source with other names for its classes. Remarks on its original names are dropped. */
export function withClasses(source: ImageSource, { classes, remarks }: NamedClasses): ImageSource {
  const { remarks: before = [], ...rest } = source;
  return withRemarks({ ...rest, classes }, [...before.filter(({ kind }) => kind !== "names"), ...remarks]);
}

function withoutName(file: string, missing: readonly string[], count: number): string {
  return (
    `Class file ${file} says nothing of ${missing.length} of the ${count} classes (${some(missing)}), which keep these as ` +
    "their names. Add them to the file."
  );
}

function notHere(file: string, named: number, present: number): string {
  return `Of the ${named} classes in ${file}, ${present} are here; accuracy is among those.`;
}

/** As `readClasses`, for a file that was given for just this data. @throws {UsageError} also when it knows none of it. */
export function readGivenClasses(
  file: string,
  folders: readonly string[],
  data: string,
  empty: readonly string[] = [],
): NamedClasses {
  const classes = readClasses(file, folders, { unnamed: "fault", empty });
  if (classes !== undefined) return classes;
  throw new UsageError(
    `Class file ${file} knows none of the classes of ${data} (the first is "${folders[0]}"). ` +
      "Give the class file of this data.",
  );
}

/**
 * Names for folders in their order.
 *
 * @param empty folders that hold nothing: classes all the same where there is a name for each of them, too
 * @throws {UsageError} when there are more or fewer names than folders, or the names contradict the folders.
 */
export function nameInOrder(
  source: string,
  names: readonly string[],
  folders: readonly string[],
  empty: readonly string[] = [],
): readonly ImageClass[] {
  if (empty.length > 0 && names.length === folders.length + empty.length)
    return nameInOrder(source, names, merged(folders, empty));
  if (names.length !== folders.length) {
    throw new UsageError(
      `${source} holds ${counted(names.length, "name")} for ${counted(folders.length, "class", "classes")} ("${folders[0]}"${folders.length > 1 ? ", ..." : ""}). ` +
        "Give one name a class, in the order of the sub-folders' names or of the labels.",
    );
  }
  // The names are in label order, but the folders with these names have another order.
  const known = new Set(names);
  const areNames = folders.every((folder) => known.has(folder));
  if (!areNames) checkOrder(source, names, folders);
  return folders.map((folder, i) => ({ folder, name: areNames ? folder : names[i]! }));
}

/** Rejects names in another order than the folders, since each name would go to the wrong class. */
function checkOrder(source: string, names: readonly string[], folders: readonly string[]): void {
  const refusal = (problem: string): UsageError =>
    new UsageError(
      `${source} is a list of names whose order cannot be that of the folders: ${problem}. ` +
        'Give a JSON object instead, { "FOLDER": "NAME", ... }.',
    );
  const moved = folders.findIndex((folder, i) => names.includes(folder) && names[i] !== folder);
  if (moved !== -1) throw refusal(`it would call the folder "${folders[moved]}" by the name "${names[moved]}"`);
  const early = disordered(folders);
  if (early !== undefined) throw refusal(`they are numbers, and as text "${early}" comes before smaller ones`);
}

/**
 * Among folders that are all numbers, the first one that comes before a smaller number. Folders are sorted as text ("10"
 * before "2"), labels by value.
 */
export function disordered(folders: readonly string[]): string | undefined {
  if (!folders.every((folder) => /^\d+$/.test(folder))) return undefined;
  return folders.find((folder, i) => i + 1 < folders.length && Number(folder) > Number(folders[i + 1]));
}

function readClassesFile(path: string): ClassesFile {
  const content = readJson(path);
  if (Array.isArray(content) && content.length > 0 && content.every((name) => typeof name === "string")) {
    return { kind: "names", names: content };
  }
  if (typeof content !== "object" || content === null) throw badFile(path, "is no JSON array or object");
  return { kind: "folders", entries: Array.isArray(content) ? readEntries(path, content) : readMap(path, content) };
}

function readMap(path: string, content: object): ReadonlyMap<string, ImageClass> {
  const entries = Object.entries(content).map(([folder, name]: [string, unknown]): [string, ImageClass] => {
    if (typeof name === "string") return [folder, { folder, name }];
    throw badFile(path, `gives "${folder}" a name that is no string`);
  });
  return new Map(entries);
}

function readEntries(path: string, list: readonly unknown[]): ReadonlyMap<string, ImageClass> {
  const entries = new Map<string, ImageClass>();
  list.forEach((value, position) => {
    const entry = toEntry(value, (problem) => badFile(path, `entry ${position} ${problem}`));
    if (entries.has(entry.folder)) throw badFile(path, `entry ${position} repeats folder "${entry.folder}"`);
    entries.set(entry.folder, entry);
  });
  return entries;
}

function toEntry(value: unknown, problem: (what: string) => UsageError): ImageClass {
  if (typeof value !== "object" || value === null) throw problem("is no object");
  const fields = value as Readonly<Record<string, unknown>>;
  const folder = fields.folder ?? fields.wnid;
  const name = fields.name ?? folder;
  const index = fields.index ?? fields.imagenetIndex;
  if (typeof folder !== "string" || folder === "") throw problem('has no "folder" (or "wnid")');
  if (typeof name !== "string") throw problem('has a "name" that is no string');
  if (index === undefined) return { folder, name };
  if (typeof index !== "number" || !Number.isInteger(index) || index < 0) {
    throw problem('has an "index" (or "imagenetIndex") that is no whole number from 0');
  }
  return { folder, name, headIndex: index };
}

function badFile(path: string, problem: string): UsageError {
  return new UsageError(
    `Class file ${path} ${problem}. Expected JSON like ["goldfish", ...] in the order of the classes, ` +
      `{ "n01443537": "goldfish", ... } or [{ "folder": "n01443537", "index": 1, "name": "goldfish" }, ...] ` +
      `("wnid" and "imagenetIndex" are accepted too).`,
  );
}
