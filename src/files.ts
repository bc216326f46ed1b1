import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { LoreError, UsageError } from "./errors.ts";
import { largestLfsPointer, refuseLfsPointer } from "./lfs.ts";

export { readJson } from "./text.ts";

/** Content of a file. A list is written piece by piece, so that no buffer needs to hold all of it. */
export type FileContent = Uint8Array | string | readonly Uint8Array[];

/** A file to be written: its path within a folder, and what is in it. */
export type SavedFile = readonly [path: string, content: FileContent];

export function jsonFile(path: string, content: object): SavedFile {
  return [path, `${JSON.stringify(content, undefined, 2)}\n`];
}

/** Bytes per system call, which moves less than 2 GiB. */
const maxCallBytes = 2 ** 30;

/** Writes a file atomically: into a temporary file beside it, then renamed. */
export function writeAtomically(path: string, content: FileContent): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writePieces(temporary, pieces(content));
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new LoreError(`Cannot write ${path}: ${reason(cause)}`, { cause });
  }
}

/**
 * Adds values to a file, each as a line of JSON.
 *
 * @throws LoreError when it cannot be written
 */
export function appendLines(path: string, values: readonly object[]): void {
  try {
    appendFileSync(path, values.map((value) => `${JSON.stringify(value)}\n`).join(""));
  } catch (cause) {
    throw new LoreError(`Cannot write ${path}: ${reason(cause)}`, { cause });
  }
}

/**
 * Reads what `appendLines` wrote; nothing where there is no file.
 *
 * @param onDamaged called with the number of a line that is no JSON, from 1; the line is left out unless this throws
 */
export function readLines<Line>(path: string, onDamaged: (line: number, cause: unknown) => void): readonly Line[] {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  return lines.flatMap((line, i): readonly Line[] => {
    if (line === "" && i === lines.length - 1) return [];
    try {
      return [JSON.parse(line) as Line];
    } catch (cause) {
      onDamaged(i + 1, cause);
      return [];
    }
  });
}

function pieces(content: FileContent): readonly Uint8Array[] {
  if (typeof content === "string") return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

function writePieces(path: string, pieces: readonly Uint8Array[]): void {
  const file = openSync(path, "w");
  try {
    for (const piece of pieces) {
      for (let done = 0; done < piece.length; ) {
        done += writeSync(file, piece, done, Math.min(piece.length - done, maxCallBytes));
      }
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A file of any length, read where it is needed. */
export interface RandomAccessFile {
  /** Bytes. */
  readonly size: number;
  /** The bytes from `begin` up to `end`, in a buffer of their own. */
  readonly read: (begin: number, end: number) => Uint8Array;
}

/** Opens a file for as long as `use` runs. */
export function withFile<T>(path: string, use: (file: RandomAccessFile) => T): T {
  const failed = (cause: unknown): UsageError => new UsageError(`Cannot read ${path}: ${reason(cause)}`, { cause });
  const attempt = <R>(action: () => R): R => {
    try {
      return action();
    } catch (cause) {
      throw failed(cause);
    }
  };
  const file = attempt(() => openSync(path, "r"));
  try {
    const read = (begin: number, end: number): Uint8Array => {
      const bytes = new Uint8Array(end - begin);
      for (let done = 0; done < bytes.length; ) {
        const length = Math.min(bytes.length - done, maxCallBytes);
        const got = attempt(() => readSync(file, bytes, done, length, begin + done));
        if (got === 0) throw failed(`it became shorter than ${end} bytes while it was read`);
        done += got;
      }
      return bytes;
    };
    const { size } = attempt(() => fstatSync(file));
    if (size <= largestLfsPointer) refuseLfsPointer(read(0, size), path);
    return use({ size, read });
  } finally {
    closeSync(file);
  }
}

/**
 * Some bytes of a file.
 *
 * @param length undefined for all that follow `offset`
 * @throws UsageError when the file does not have them
 */
export function readRange(path: string, offset: number, length: number | undefined): Uint8Array {
  return withFile(path, ({ size, read }) => {
    const end = length === undefined ? size : offset + length;
    if (offset >= 0 && end >= offset && end <= size) return read(offset, end);
    throw new UsageError(`${path} has ${size} bytes, and bytes ${offset} to ${end} are wanted: is it whole?`);
  });
}

/** @throws UsageError when the file cannot be read, or a Git LFS pointer lies in its place */
export function readBytes(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new UsageError(`Cannot read ${path}: ${reason(cause)}`, { cause });
  }
  refuseLfsPointer(bytes, path);
  return bytes;
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
