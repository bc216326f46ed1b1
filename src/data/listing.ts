import { readdirSync, statSync } from "node:fs";
import { UsageError } from "../errors.ts";

/** Names that data sets give to the folders and files of their parts. */
export const splitNames: ReadonlySet<string> = new Set(["train", "val", "valid", "validation", "test"]);

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * Names of what lies in a folder, sorted by UTF-16 code unit, so the same everywhere; hidden ones are left out.
 *
 * @throws {UsageError} when the folder may not be read.
 */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith("."))
      .sort();
  } catch (cause) {
    throw new UsageError(`Folder ${folder} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
