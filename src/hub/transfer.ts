import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { UsageError } from "../errors.ts";
import { type HubClient, HubUnreachable } from "./client.ts";
import type { RepositoryFile } from "./files.ts";

/**
 * Downloads a file into the cache's `blobs/`, through `PATH.incomplete`, and continues there what an earlier call left.
 * (`downloadFileToCacheDir` of `@huggingface/hub` begins at zero each time, and tells nothing on its way.)
 *
 * No lock is needed against others who fetch the same file: each begins within what is there and writes the same bytes
 * to the same places. The name of a blob is the hash of its content, which is checked.
 *
 * @param onBytes is given how many bytes of the file are here.
 * @throws UsageError when the transfer breaks twice at the same place, or the bytes are not the file's
 */
export async function downloadBlob(
  client: HubClient,
  url: string,
  file: RepositoryFile,
  blob: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const incomplete = `${blob}.incomplete`;
  await mkdir(dirname(blob), { recursive: true });
  const handle = await open(incomplete, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    await fill(handle, client, url, file, onBytes);
    if ((await contentHash(handle, file)) !== file.hash) {
      await rm(incomplete, { force: true });
      throw new UsageError(`${file.path} arrived damaged: its hash is not ${file.hash}. Run the same again.`);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(incomplete, blob).catch((cause: NodeJS.ErrnoException) => {
    // Another process has finished the same file.
    if (cause.code !== "ENOENT") throw cause;
  });
}

async function fill(
  handle: FileHandle,
  client: HubClient,
  url: string,
  { path, size }: RepositoryFile,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const found = (await handle.stat()).size;
  if (found > size) await handle.truncate(size);
  let here = Math.min(found, size);
  onBytes(here);
  while (here < size) {
    const before = here;
    let broken: unknown;
    try {
      for await (const { at, bytes } of client.read(url, here)) {
        const fitting = bytes.subarray(0, Math.max(0, size - at));
        await writeFully(handle, fitting, at);
        here = at + fitting.length;
        onBytes(here);
      }
    } catch (cause) {
      if (!(cause instanceof HubUnreachable)) throw cause;
      broken = cause;
    }
    // A transfer that breaks after some bytes is resumed there. One that brings nothing would retry for ever.
    if (here <= before) {
      const why = broken instanceof Error ? broken.message : "the server ends it too early";
      throw new UsageError(
        `${path} stopped at ${before} of ${size} bytes: ${why}. Run the same again to continue there.`,
        { cause: broken },
      );
    }
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Git's object id of a small file (SHA-1 of a header and the content), or the SHA-256 of a large one. */
async function contentHash(handle: FileHandle, { hash, size }: RepositoryFile): Promise<string> {
  const digest = hash.length === 40 ? createHash("sha1").update(`blob ${size}\0`) : createHash("sha256");
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) digest.update(chunk as Uint8Array);
  return digest.digest("hex");
}
