import { datasetInfo, listFiles, modelInfo } from "@huggingface/hub";
import { UsageError } from "../errors.ts";
import { CachedRepository, isCommit } from "./cache.ts";
import { type HubClient, HubUnreachable, hubClient, type RepositoryRevision } from "./client.ts";
import type { RepositoryFile } from "./files.ts";
import { type HubSettings, hubSettings } from "./settings.ts";
import { downloadBlob } from "./transfer.ts";

export interface DownloadProgress {
  /** The file in transfer, as the repository names it. */
  readonly file: string;
  /** Bytes of the needed files that are here, including those already in the cache. */
  readonly bytes: number;
  /** The needed files together; more once a file turns out to lack what another one has. */
  readonly totalBytes: number;
}

export interface DownloadOptions {
  /** Called for every piece that arrives; never when the cache has everything. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Called when the hub cannot be asked and the cached copy, perhaps an older one, is used. */
  readonly onWarning?: (message: string) => void;
  /** Ends the download; what has arrived stays, and the next call continues there. */
  readonly signal?: AbortSignal;
}

/** The files needed from a repository. */
export interface Need {
  /** Description of a complete copy in messages: "in safetensors" ... */
  readonly what: string;
  /** Files that are asked about. */
  readonly mayBeNeeded: (path: string) => boolean;
  /**
   * Files to bring here, those last whose presence makes a snapshot complete.
   *
   * @throws UsageError when the repository lacks what is needed
   */
  readonly choose: (files: readonly RepositoryFile[]) => readonly RepositoryFile[];
  /** Files that turn out to be needed, too, once others are here; asked again once those are. */
  readonly more?: (
    files: readonly RepositoryFile[],
    here: readonly { readonly file: RepositoryFile; readonly at: string }[],
  ) => readonly RepositoryFile[];
  /** Whether a snapshot folder has all of it. */
  readonly holds: (folder: string) => boolean;
}

/**
 * Brings files of a repository into the standard cache.
 *
 * @returns the snapshot's folder
 * @throws HubUnreachable when the hub gives no answer and the cache has no copy; UsageError when the hub refuses, the
 *   repository lacks what is needed, or the cache cannot be written; the signal's reason when that ends it
 */
export async function obtainSnapshot(
  repository: RepositoryRevision,
  need: Need,
  options: DownloadOptions,
): Promise<string> {
  const settings = hubSettings();
  const cached = new CachedRepository(settings.cache, repository);
  const copy = (): string | undefined => cached.lookUp(repository.revision, need.holds);
  if (settings.offline) return copy() ?? missing(repository, need, settings);
  const client = hubClient(settings, repository, options.signal);
  let listing: Listing;
  try {
    listing = await list(client, repository, need, settings, options.signal);
  } catch (cause) {
    if (!(cause instanceof HubUnreachable)) throw cause;
    return standIn(copy(), need, cause, settings, options);
  }
  const { commit } = listing;
  const chosen = need.choose(listing.files);
  const kind = repository.type === "dataset" ? "datasets/" : "";
  const url = `${settings.endpoint}/${kind}${repository.id}/resolve/${commit}`;
  const source: Source = { client, url, commit, cached };
  try {
    const files = await transferAll(source, need, chosen, listing.files, options);
    // In order, so that a snapshot with the last file has all others.
    for (const file of files) await cached.link(commit, file);
    cached.point(repository.revision, commit);
  } catch (cause) {
    throw diskFailure(cause, settings.cache);
  }
  return cached.snapshot(commit);
}

function missing({ revision }: RepositoryRevision, { what }: Need, { cache }: HubSettings): never {
  throw new HubUnreachable(
    `offline mode is on (HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE), and the cache ${cache} holds no complete copy of ` +
      `revision ${revision} ${what}. Run once without offline mode to fetch it, or give a folder.`,
  );
}

function standIn(
  copy: string | undefined,
  { what }: Need,
  cause: HubUnreachable,
  { cache }: HubSettings,
  { onWarning }: DownloadOptions,
): string {
  if (copy) {
    onWarning?.(`${cause.message}; the cached copy is used: ${copy}`);
    return copy;
  }
  throw new HubUnreachable(
    `${cause.message}, and the cache ${cache} holds no complete copy ${what}. ` +
      "Download it on a connected machine, or set HF_ENDPOINT to a mirror, or give a folder.",
    { cause },
  );
}

interface Listing {
  readonly commit: string;
  readonly files: readonly RepositoryFile[];
}

async function list(
  client: HubClient,
  { type, id, revision }: RepositoryRevision,
  { mayBeNeeded }: Need,
  { endpoint }: HubSettings,
  signal: AbortSignal | undefined,
): Promise<Listing> {
  const hub = { hubUrl: endpoint, fetch: client.fetch };
  const asked = { ...hub, name: id, revision, additionalFields: ["sha" as const] };
  try {
    const commit = isCommit(revision)
      ? revision
      : (type === "dataset" ? await datasetInfo(asked) : await modelInfo(asked)).sha;
    const files: RepositoryFile[] = [];
    const whole = { repo: { type, name: id }, revision: commit, recursive: true } as const;
    for await (const { type: kind, path, lfs, size, oid = "" } of listFiles({ ...hub, ...whole })) {
      if (kind === "file" && mayBeNeeded(path)) files.push({ path, size: lfs?.size ?? size, hash: lfs?.oid ?? oid });
    }
    // These become names of files and folders in the cache.
    if (isCommit(commit) && files.every(({ hash }) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash)))
      return { commit, files };
    throw new Error("a commit or a hash is missing");
  } catch (cause) {
    if (cause instanceof UsageError || signal?.aborted) throw cause;
    throw new UsageError(`${endpoint} does not answer like a hub (${cause}). Check HF_ENDPOINT.`, { cause });
  }
}

/** One commit: where its files come from, and where they go. */
interface Source {
  readonly client: HubClient;
  readonly url: string;
  readonly commit: string;
  readonly cached: CachedRepository;
}

/** Brings files into the cache, not yet into the snapshot. */
async function transfer(
  { client, url, commit, cached }: Source,
  files: readonly RepositoryFile[],
  { onProgress }: DownloadOptions,
): Promise<void> {
  const here = new Set<RepositoryFile>();
  for (const file of files) if (await cached.find(commit, file)) here.add(file);
  const totalBytes = total(files);
  let done = total([...here]);
  for (const file of files) {
    if (here.has(file)) continue;
    await downloadBlob(client, `${url}/${file.path}`, file, cached.blob(file.hash), (bytes) =>
      onProgress?.({ file: file.path, bytes: done + bytes, totalBytes }),
    );
    done += file.size;
  }
}

/** Downloads files and those that they turn out to need. The result lists the latter first. */
async function transferAll(
  source: Source,
  need: Need,
  chosen: readonly RepositoryFile[],
  listed: readonly RepositoryFile[],
  options: DownloadOptions,
): Promise<readonly RepositoryFile[]> {
  let files = chosen;
  for (;;) {
    await transfer(source, files, options);
    const wanted = await further(source, need, files, listed);
    const added = [...new Set(wanted)].filter((file) => !files.includes(file));
    if (added.length === 0) return files;
    files = [...added, ...files];
  }
}

async function further(
  { commit, cached }: Source,
  { more }: Need,
  chosen: readonly RepositoryFile[],
  listed: readonly RepositoryFile[],
): Promise<readonly RepositoryFile[]> {
  if (!more) return [];
  const here = chosen.map(async (file) => ({ file, at: (await cached.find(commit, file))! }));
  return more(listed, await Promise.all(here));
}

function total(files: readonly RepositoryFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

function diskFailure(cause: unknown, cache: string): unknown {
  if (!(cause instanceof Error && "code" in cause && "syscall" in cause)) return cause;
  if (cause.code === "ENOSPC" || cause.code === "EDQUOT") {
    return new UsageError(
      `the disk of the cache ${cache} is full. Make room and run the same again, which continues, or set HF_HOME to a ` +
        "folder with more.",
      { cause },
    );
  }
  return new UsageError(`the cache ${cache} cannot be written: ${cause.message}. HF_HOME chooses another.`, { cause });
}
