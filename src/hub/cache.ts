import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { copyFile, mkdir, rename, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { getRepoFolderName } from "@huggingface/hub";
import { writeAtomically } from "../files.ts";
import type { RepositoryRevision } from "./client.ts";
import type { RepositoryFile } from "./files.ts";

/**
 * A repository in the standard cache, which Python's `huggingface_hub` shares: `blobs/HASH`,
 * `snapshots/COMMIT/PATH` that link to them, and `refs/REVISION` that hold commits.
 */
export class CachedRepository {
  readonly folder: string;

  constructor(cache: string, { type, id }: Pick<RepositoryRevision, "type" | "id">) {
    this.folder = join(cache, getRepoFolderName({ type, name: id }));
  }

  blob(hash: string): string {
    return join(this.folder, "blobs", hash);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  /** The snapshot that a revision stood for when it was last downloaded, if that has what is needed. */
  lookUp(revision: string, holds: (folder: string) => boolean): string | undefined {
    const ref = this.#ref(revision);
    const commit = existsSync(ref) ? readFileSync(ref, "utf8").trim() : revision;
    return isCommit(commit) && holds(this.snapshot(commit)) ? this.snapshot(commit) : undefined;
  }

  /** Records the commit of a branch or tag. Call it once the snapshot is complete. */
  point(revision: string, commit: string): void {
    if (revision !== commit) writeAtomically(this.#ref(revision), commit);
  }

  /** Path of a snapshot's file that is present: in the snapshot, else among the blobs. */
  async find(commit: string, { path, hash, size }: RepositoryFile): Promise<string | undefined> {
    for (const candidate of [join(this.snapshot(commit), path), this.blob(hash)]) {
      if (await hasSize(candidate, size)) return candidate;
    }
    return undefined;
  }

  /**
   * Puts a blob into a snapshot that lacks it: a relative link, or a copy where the file system or the user may not
   * link.
   */
  async link(commit: string, { path, hash, size }: RepositoryFile): Promise<void> {
    const pointer = join(this.snapshot(commit), path);
    if (await hasSize(pointer, size)) return;
    const blob = this.blob(hash);
    const temporary = `${pointer}.${randomUUID()}.tmp`;
    await mkdir(dirname(pointer), { recursive: true });
    await symlink(relative(dirname(pointer), blob), temporary).catch(() => copyFile(blob, temporary));
    await rename(temporary, pointer);
  }

  #ref(revision: string): string {
    return join(this.folder, "refs", revision);
  }
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether a file, or the target of a link, exists with this size. */
export async function hasSize(path: string, size: number): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile() && found.size === size,
    () => false,
  );
}
