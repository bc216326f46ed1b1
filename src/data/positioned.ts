import { open } from "node:fs/promises";
import { LoreError } from "../errors.ts";

/**
 * Bytes `offset` ... `offset + length` of a file.
 *
 * @throws {LoreError} when the file ends before; the file system's error when it cannot be read.
 */
export async function readAt(path: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, offset);
    if (bytesRead < length) throw new LoreError(`${path} ends inside it: the file was changed after it was listed`);
    return buffer;
  } finally {
    await file.close();
  }
}
