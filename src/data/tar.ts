import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { largestLfsPointer, refuseLfsPointer } from "../lfs.ts";

/*
 * Our own reader of tar headers: the libraries (tar-stream, tar) parse a stream and so read every byte of an archive;
 * listing a data set of many gigabytes must read its headers only.
 */

/** A file in a tar archive: bytes `offset` ... `offset + length` of the archive. */
export interface TarEntry {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  /** The file's bytes. Only while the iteration stands at this entry. */
  read(): Buffer;
}

const BLOCK = 512;

/** Headers of the formats in use lie together with small files and their headers: one read serves several. */
const WINDOW = 16 * 1024;

/**
 * The regular files of a tar archive (POSIX ustar and pax, GNU, or the format before them), in order; folders and
 * devices are passed over. Bodies are not read.
 *
 * @throws {UsageError} while iterating, naming the archive and the offset: it cannot be read, is cut short (the block
 * of zeros that ends an archive counts), is compressed, no archive, or holds a link.
 */
export function* tarEntries(path: string): Generator<TarEntry, void, undefined> {
  const file = new TarFile(path);
  try {
    yield* walk(file);
  } finally {
    file.close();
  }
}

function* walk(file: TarFile): Generator<TarEntry, void, undefined> {
  // Name and size that a GNU or pax header gives for the next entry.
  let extended: { readonly name?: string; readonly length?: number } = {};
  for (let at = 0; ; ) {
    const header = file.bytes(at, BLOCK);
    if (header.every((byte) => byte === 0)) return;
    checkHeader(header, file.path, at);
    const type = String.fromCharCode(header[156]!);
    const offset = at + BLOCK;
    const length = extended.length ?? sizeField(header, file.path, at);
    const next = offset + (hasBody(type) ? Math.ceil(length / BLOCK) * BLOCK : 0);
    file.checkHolds(next);
    if (type === "L") extended = { ...extended, name: text(file.bytes(offset, length)) };
    else if (type === "x") extended = { ...extended, ...paxRecords(file.bytes(offset, length)) };
    // K is the long target of a link, g speaks of all entries and in practice holds comments.
    else if (type !== "K" && type !== "g") {
      const name = extended.name ?? nameField(header);
      if (type === "1" || type === "2") throw linkError(file.path, name);
      if (isRegular(type) && !name.endsWith("/")) {
        yield { name, offset, length, read: () => file.bytes(offset, length) };
      }
      extended = {};
    }
    at = next;
  }
}

/** Type 7 (contiguous) is regular everywhere; NUL is how the oldest format says regular. */
function isRegular(type: string): boolean {
  return type === "0" || type === "\0" || type === "7";
}

/** Links, devices, folders and pipes have none, whatever their size field says. */
function hasBody(type: string): boolean {
  return !/[1-6]/.test(type);
}

function nameField(header: Buffer): string {
  const name = text(header.subarray(0, 100));
  const isPosix = header.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? text(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function sizeField(header: Buffer, path: string, at: number): number {
  const digits = text(header.subarray(124, 136)).trim();
  if (/^[0-7]*$/.test(digits)) return Number.parseInt(digits || "0", 8);
  // GNU tar encodes sizes from 8 GiB on in binary.
  throw new UsageError(`Tar file ${path}, offset ${at}: the entry's size is unreadable, or 8 GiB and more.`);
}

/** The records of a pax header that matter here; each is "LENGTH KEY=VALUE\n", where LENGTH counts all its bytes. */
function paxRecords(bytes: Buffer): { readonly name?: string; readonly length?: number } {
  let found: { readonly name?: string; readonly length?: number } = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(" ", at);
    const end = at + Number.parseInt(bytes.toString("latin1", at, space), 10);
    if (!(end > at)) break;
    const record = bytes.toString("utf8", space + 1, end - 1);
    if (record.startsWith("path=")) found = { ...found, name: record.slice("path=".length) };
    if (record.startsWith("size=")) found = { ...found, length: Number(record.slice("size=".length)) };
    at = end;
  }
  return found;
}

/** The sum of the header's bytes, its own field counted as spaces, tells a header from anything else. */
function checkHeader(header: Buffer, path: string, at: number): void {
  const stated = Number.parseInt(text(header.subarray(148, 156)).trim(), 8);
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!;
  if (sum === stated) return;
  const compressed = at === 0 && ((header[0] === 0x1f && header[1] === 0x8b) || header.readUInt32LE(0) === 0xfd2fb528);
  throw new UsageError(
    compressed
      ? `Tar file ${path} is compressed, so that images cannot be read where they lie. Decompress it first.`
      : `Tar file ${path}: there is no tar header at offset ${at}. The file is damaged or no tar archive.`,
  );
}

function linkError(path: string, name: string): UsageError {
  return new UsageError(
    `Tar file ${path} holds ${name} as a link instead of a file. Pack it again with "tar --dereference --hard-dereference".`,
  );
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end === -1 ? field.length : end);
}

/** Reads anywhere in a file, through a window that serves reads close together. */
class TarFile {
  readonly path: string;
  readonly #descriptor: number;
  readonly #size: number;
  #window = Buffer.alloc(0);
  #start = 0;

  constructor(path: string) {
    this.path = path;
    this.#descriptor = this.#attempt(() => openSync(path, "r"));
    this.#size = this.#attempt(() => fstatSync(this.#descriptor).size);
    if (this.#size <= largestLfsPointer) refuseLfsPointer(this.bytes(0, this.#size), path);
  }

  bytes(offset: number, length: number): Buffer {
    this.checkHolds(offset + length);
    if (offset < this.#start || offset + length > this.#start + this.#window.length) {
      const window = Buffer.alloc(Math.min(Math.max(length, WINDOW), this.#size - offset));
      const read = this.#attempt(() => readSync(this.#descriptor, window, 0, window.length, offset));
      if (read < window.length) throw this.#cutShort(offset + read);
      this.#window = window;
      this.#start = offset;
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }

  /** @throws {UsageError} when the file ends before `end`. */
  checkHolds(end: number): void {
    if (end > this.#size) throw this.#cutShort(this.#size);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #cutShort(at: number): UsageError {
    return new UsageError(
      at === 0
        ? `Tar file ${this.path} is empty. Download or pack it again.`
        : `Tar file ${this.path} is cut short: it ends at offset ${at}, inside the archive. Download or pack it again.`,
    );
  }

  #attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw new UsageError(`Tar file ${this.path} cannot be read: ${(cause as Error).message}`, { cause });
    }
  }
}
