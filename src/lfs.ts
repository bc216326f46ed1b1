import { UsageError } from "./errors.ts";

/*
 * Git LFS (github.com/git-lfs/git-lfs, docs/spec.md): where large files were not fetched, a clone has small text files in
 * their places, which begin with the version of the format.
 */

/** The format's own limit; anything larger is the file itself. */
export const largestLfsPointer = 1024;

const versions = ["https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1", "http://git-media.io/v/2"];

/**
 * Message about a Git LFS pointer in place of the file itself; undefined for other files.
 *
 * @param bytes the whole file, or its beginning
 */
export function lfsPointer(bytes: Uint8Array): string | undefined {
  // The first byte rules out most files.
  if (bytes[0] !== "v".charCodeAt(0)) return undefined;
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, largestLfsPointer));
  if (!versions.some((version) => start.startsWith(`version ${version}`))) return undefined;
  const size = /^size (\d+)/m.exec(start)?.[1];
  const stands =
    size === undefined ? "the file itself" : `the file itself (${Number(size).toLocaleString("en")} bytes)`;
  return `a Git LFS pointer in the place of ${stands}: fetch it with "git lfs pull", or download it`;
}

/** @throws UsageError when the bytes are a Git LFS pointer */
export function refuseLfsPointer(bytes: Uint8Array, path: string): void {
  const pointer = lfsPointer(bytes);
  if (pointer !== undefined) throw new UsageError(`${path} is ${pointer}.`);
}
