import type { FileContent } from "../files.ts";

/** A file of a saved encoder: its path within the folder, and what is in it. */
export type SavedFile = readonly [path: string, content: FileContent];

export function jsonFile(path: string, content: object): SavedFile {
  return [path, `${JSON.stringify(content, undefined, 2)}\n`];
}
