import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";

/** What a class file says about one folder of images. */
export interface ClassEntry {
  readonly folder: string;
  readonly name: string;
  readonly headIndex?: number;
}

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

/**
 * Reads a class file: a JSON array of `{ "folder" or "wnid": string, "name"?: string, "index" or "imagenetIndex"?:
 * integer }`. The index is the row of a fixed classification head.
 *
 * @returns The entries by folder name.
 * @throws {UsageError} when the file is missing, is no JSON, or has another form; the message names the entry.
 */
export function readClassesFile(path: string): ReadonlyMap<string, ClassEntry> {
  const entries = new Map<string, ClassEntry>();
  const list = parse(path);
  if (!Array.isArray(list)) throw badFile(path, "is no JSON array");
  list.forEach((value: unknown, position) => {
    const entry = toEntry(value, (problem) => badFile(path, `entry ${position} ${problem}`));
    if (entries.has(entry.folder)) throw badFile(path, `entry ${position} repeats folder "${entry.folder}"`);
    entries.set(entry.folder, entry);
  });
  return entries;
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Class file ${path} cannot be read: ${why}`, { cause });
  }
}

function toEntry(value: unknown, problem: (what: string) => UsageError): ClassEntry {
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
    `Class file ${path} ${problem}. Expected a JSON array like ` +
      `[{ "folder": "n01443537", "index": 1, "name": "goldfish" }, ...] ("wnid" and "imagenetIndex" are accepted too).`,
  );
}
