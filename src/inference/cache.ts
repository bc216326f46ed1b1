import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { writeAtomically } from "../files.ts";

const digestLength = 32;
const suffix = ".embeddings";

export interface CacheLimits {
  /** Limit of one encoder's file in bytes; least recently used images are dropped first. Default 256 MiB. */
  readonly fileBytes?: number;
  /** Limit of the folder in bytes; least recently used files are dropped first. Default 2 GiB. */
  readonly folderBytes?: number;
}

/** Default folder of the embedding cache. */
export function defaultEmbeddingCache(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "lore-vision", "embeddings");
}

/** SHA-256 of one image's pixels, as hexadecimal. */
export function pixelsDigest(pixels: Float32Array): string {
  return createHash("sha256").update(pixels).digest("hex");
}

/**
 * Embeddings of one encoder, by the digests of the images' pixels. The file holds the SHA-256 of the rest, then one
 * record per image: 32 bytes of digest and the embedding (float32, in the machine's byte order). It is written whole
 * and renamed, so concurrent writers lose entries at worst. A damaged file counts as empty.
 */
export class EmbeddingCache {
  readonly #folder: string;
  readonly #file: string;
  readonly #size: number;
  readonly #limits: Required<CacheLimits>;
  /** In order of use, the most recent last. */
  readonly #known: Map<string, Float32Array>;
  #changed = false;

  /** @param key a file name that changes with everything the embeddings depend on except the pixels */
  constructor(folder: string, key: string, embeddingSize: number, limits: CacheLimits = {}) {
    this.#folder = folder;
    this.#file = join(folder, `${key}${suffix}`);
    this.#size = embeddingSize;
    this.#limits = { fileBytes: 2 ** 28, folderBytes: 2 ** 31, ...limits };
    this.#known = readRecords(this.#file, embeddingSize);
  }

  /** Images known. */
  get size(): number {
    return this.#known.size;
  }

  find(digest: string): Float32Array | undefined {
    const found = this.#known.get(digest);
    if (!found) return undefined;
    this.#known.delete(digest);
    this.#known.set(digest, found);
    return found;
  }

  /** @param embedding is copied */
  add(digest: string, embedding: Float32Array): void {
    this.#known.set(digest, embedding.slice());
    this.#changed = true;
  }

  /** Writes new entries, merged with those that others wrote meanwhile. A failed write is no error: it only costs time. */
  save(): void {
    try {
      if (this.#changed) {
        const all = new Map([...readRecords(this.#file, this.#size)].filter(([digest]) => !this.#known.has(digest)));
        for (const [digest, embedding] of this.#known) all.set(digest, embedding);
        const max = Math.floor((this.#limits.fileBytes - digestLength) / (digestLength + 4 * this.#size));
        writeAtomically(this.#file, encodeRecords([...all].slice(Math.max(0, all.size - max)), this.#size));
        this.#changed = false;
        this.#trimFolder();
      } else if (this.size > 0) utimesSync(this.#file, new Date(), new Date());
    } catch {}
  }

  #trimFolder(): void {
    const files = readdirSync(this.#folder)
      .filter((name) => name.endsWith(suffix))
      .map((name) => join(this.#folder, name))
      .map((path) => ({ path, stat: statSync(path) }))
      .sort((a, b) => b.stat.mtimeMs - a.stat.mtimeMs);
    let bytes = 0;
    for (const { path, stat } of files) {
      bytes += stat.size;
      if (bytes > this.#limits.folderBytes && path !== this.#file) rmSync(path, { force: true });
    }
  }
}

/** Empty when there is no such file, or it is damaged. */
function readRecords(file: string, size: number): Map<string, Float32Array> {
  const records = new Map<string, Float32Array>();
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return records;
  }
  const body = bytes.subarray(digestLength);
  const length = digestLength + 4 * size;
  if (body.length % length !== 0 || !sha256(body).equals(bytes.subarray(0, digestLength))) return records;
  for (let at = 0; at < body.length; at += length) {
    const embedding = new Float32Array(size);
    new Uint8Array(embedding.buffer).set(body.subarray(at + digestLength, at + length));
    records.set(body.toString("hex", at, at + digestLength), embedding);
  }
  return records;
}

function encodeRecords(records: readonly (readonly [digest: string, embedding: Float32Array])[], size: number): Buffer {
  const length = digestLength + 4 * size;
  const bytes = Buffer.alloc(digestLength + records.length * length);
  for (const [i, [digest, { buffer, byteOffset, byteLength }]] of records.entries()) {
    const at = digestLength + i * length;
    bytes.write(digest, at, "hex");
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at + digestLength);
  }
  bytes.set(sha256(bytes.subarray(digestLength)));
  return bytes;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
