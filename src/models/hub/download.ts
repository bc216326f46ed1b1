import { existsSync } from "node:fs";
import { listFiles, modelInfo } from "@huggingface/hub";
import { UsageError } from "../../errors.ts";
import { readTensorNames } from "../safetensors.ts";
import { CachedRepository, isCommit } from "./cache.ts";
import { type HubClient, HubUnreachable, hubClient, type RepositoryRevision } from "./client.ts";
import { chooseFiles, holdTextTower, mayBeNeeded, type RepositoryFile, textModelFiles } from "./files.ts";
import { type HubSettings, hubSettings } from "./settings.ts";
import { downloadBlob } from "./transfer.ts";

export interface DownloadProgress {
  /** The file in transfer, as the repository names it. */
  readonly file: string;
  /** How much of the encoder's files is here, with what the cache had already. */
  readonly bytes: number;
  /** The encoder's files together; more once the weights turn out to lack the text tower, which is another file then. */
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

const hubId = /^(?<id>\w[\w.-]*\/\w[\w.-]*)(?:@(?<revision>\w[\w./-]*))?$/;
const fileName = /\.(safetensors|onnx|json|pt|pth|bin|ckpt)$/;

/** True for `owner/name`, optionally `owner/name@revision`, when no file or folder of that name exists. */
export function isHubId(spec: string): boolean {
  return parse(spec) !== undefined && !existsSync(spec);
}

/**
 * Downloads what an encoder needs (settings, tokeniser, weights in safetensors, and `onnx/text_model.onnx` where these
 * have no text tower) into the standard cache, and returns the snapshot's folder. What is there is not downloaded again;
 * what was cut off continues. Honours the variables of Python's `huggingface_hub`: `HF_HOME`, `HF_HUB_CACHE`,
 * `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`, `HF_HUB_ETAG_TIMEOUT`, `HF_HUB_DOWNLOAD_TIMEOUT`. Files come over plain
 * HTTP, whose byte ranges any mirror has, not over xet.
 *
 * @param spec `owner/name` or `owner/name@revision`: a branch, a tag or a full commit; default `main`
 * @throws UsageError when the hub refuses or cannot be reached and the cache has no copy, when the repository has no
 *   weights in safetensors, or when the cache cannot be written; the signal's reason when that ends it
 */
export async function downloadEncoder(spec: string, options: DownloadOptions = {}): Promise<string> {
  const repository = parse(spec);
  if (!repository) throw new UsageError(`"${spec}" is no hub id: write owner/name or owner/name@revision.`);
  try {
    return await obtain(repository, hubSettings(), options);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`Encoder ${spec}: ${cause.message}`, { cause });
  }
}

function parse(spec: string): RepositoryRevision | undefined {
  const { id, revision = "main" } = hubId.exec(spec)?.groups ?? {};
  // Two dots would lead out of the cache, two hyphens are its separator; a file's name is a mistyped path.
  if (!id || /\.\.|--/.test(spec) || fileName.test(spec)) return undefined;
  return { id, revision };
}

async function obtain(
  repository: RepositoryRevision,
  settings: HubSettings,
  options: DownloadOptions,
): Promise<string> {
  const cached = new CachedRepository(settings.cache, repository.id);
  if (settings.offline) return cached.lookUp(repository.revision) ?? missing(repository, settings);
  const client = hubClient(settings, repository, options.signal);
  let listing: Listing;
  try {
    listing = await list(client, repository, settings, options.signal);
  } catch (cause) {
    if (!(cause instanceof HubUnreachable)) throw cause;
    return standIn(cached.lookUp(repository.revision), cause, settings, options);
  }
  const { commit } = listing;
  const chosen = chooseFiles(repository.id, listing.files);
  const source: Source = { client, url: `${settings.endpoint}/${repository.id}/resolve/${commit}`, commit, cached };
  try {
    await transfer(source, chosen, options);
    const files = [...(await standInText(source, chosen, listing.files)), ...chosen];
    await transfer(source, files, options);
    // In their order, so that a snapshot with weights has the rest.
    for (const file of files) await cached.link(commit, file);
    cached.point(repository.revision, commit);
  } catch (cause) {
    throw diskFailure(cause, settings.cache);
  }
  return cached.snapshot(commit);
}

function missing({ revision }: RepositoryRevision, { cache }: HubSettings): never {
  throw new UsageError(
    `offline mode is on (HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE), and the cache ${cache} holds no complete copy of ` +
      `revision ${revision} in safetensors. Run once without offline mode to fetch it, or give a folder.`,
  );
}

function standIn(
  copy: string | undefined,
  cause: HubUnreachable,
  { cache }: HubSettings,
  { onWarning }: DownloadOptions,
): string {
  if (copy) {
    onWarning?.(`${cause.message}; the cached copy is used: ${copy}`);
    return copy;
  }
  throw new UsageError(
    `${cause.message}, and the cache ${cache} holds no complete copy in safetensors. ` +
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
  { id, revision }: RepositoryRevision,
  { endpoint }: HubSettings,
  signal: AbortSignal | undefined,
): Promise<Listing> {
  const hub = { hubUrl: endpoint, fetch: client.fetch };
  try {
    const commit = isCommit(revision)
      ? revision
      : (await modelInfo({ ...hub, name: id, revision, additionalFields: ["sha"] })).sha;
    const files: RepositoryFile[] = [];
    const whole = { repo: { type: "model", name: id }, revision: commit, recursive: true } as const;
    for await (const { type, path, lfs, size, oid = "" } of listFiles({ ...hub, ...whole })) {
      if (type === "file" && mayBeNeeded(path)) files.push({ path, size: lfs?.size ?? size, hash: lfs?.oid ?? oid });
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

/** The ONNX text tower, where the repository has one and its weights, which are here, do not. */
async function standInText(
  { commit, cached }: Source,
  chosen: readonly RepositoryFile[],
  listed: readonly RepositoryFile[],
): Promise<readonly RepositoryFile[]> {
  const textModel = textModelFiles(listed);
  if (textModel.length === 0) return [];
  const weights = chosen.filter(({ path }) => path.endsWith(".safetensors"));
  const paths = await Promise.all(weights.map((file) => cached.find(commit, file)));
  return holdTextTower(paths.flatMap((path) => readTensorNames(path!))) ? [] : textModel;
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
