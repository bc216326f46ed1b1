import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A repository of a `HubServer`. Files of `lfs` are on another host, as on the hub. */
export interface ServedRepository {
  /** That of a data set begins with `datasets/`. */
  readonly id: string;
  readonly commit: string;
  /** Branches and tags. Default: `main`. */
  readonly revisions?: readonly string[];
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** Names of the files that are large. */
  readonly lfs?: readonly string[];
  /** The token it takes to read it. */
  readonly token?: string;
}

export interface SeenRequest {
  readonly host: "hub" | "files";
  readonly line: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

interface ServedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** The file's id on the hub: git's object id, or the SHA-256 of a large file. */
  readonly hash: string;
  readonly large: boolean;
}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bytes?: Uint8Array;
  /** Sends this many bytes and then nothing more. */
  readonly silentAfter?: number;
}

const resolvePath = /^\/(?<id>(?:datasets\/)?[^/]+\/[^/]+)\/resolve\/(?<revision>[^/]+)\/(?<path>.+)$/;

/** How the files' host behaves. */
export type Mischief =
  | { readonly kind: "none" }
  | { readonly kind: "down" }
  /** Sends this many bytes and then nothing more. */
  | { readonly kind: "stall"; readonly after: number }
  | { readonly kind: "damage" }
  | { readonly kind: "no ranges" };

/** Two local servers that speak the protocol of the Hugging Face hub for models and data sets: the hub, and a host of large files. */
export class HubServer {
  readonly requests: SeenRequest[] = [];
  mischief: Mischief = { kind: "none" };
  /** Entries of one page of a listing. */
  pageSize = 1000;
  /** When set, the hub answers everything with this status. */
  status: number | undefined;
  readonly #hub: Server = createServer(async (request, response) => {
    this.#note("hub", request);
    send(response, this.#hubReply(request, await readBody(request)));
  });
  readonly #files: Server = createServer((request, response) => {
    this.#note("files", request);
    send(response, this.#filesReply(request));
  });
  readonly #repositories = new Map<string, ServedRepository & { readonly entries: readonly ServedFile[] }>();

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    for (const each of [server.#hub, server.#files])
      await new Promise<void>((done) => each.listen(0, "127.0.0.1", done));
    return server;
  }

  async stop(): Promise<void> {
    for (const each of [this.#hub, this.#files]) {
      const closed = new Promise((done) => each.close(done));
      each.closeAllConnections();
      await closed;
    }
  }

  get url(): string {
    return address(this.#hub);
  }

  /** Breaks the connections to the files' host. What a client has not read is lost. */
  cut(): void {
    this.#files.closeAllConnections();
  }

  /** Forgets repositories, requests and mischief. */
  reset(): void {
    this.#repositories.clear();
    this.requests.length = 0;
    this.mischief = { kind: "none" };
    this.pageSize = 1000;
    this.status = undefined;
  }

  serve(repository: ServedRepository): void {
    this.#repositories.set(repository.id, { ...repository, entries: served(repository) });
  }

  /** The requests for files' contents since the last call. */
  takeTransfers(): readonly SeenRequest[] {
    return this.requests.splice(0).filter(({ line }) => line.includes("/resolve/"));
  }

  #hubReply({ url, headers }: IncomingMessage, body: string): Reply {
    if (this.status) return { status: this.status };
    const { pathname, searchParams } = new URL(url ?? "/", this.url);
    const match =
      /^\/api\/(?:models\/)?(?<id>(?:datasets\/)?[^/]+\/[^/]+)\/(?<what>tree|revision|paths-info)\/(?<revision>[^/]+)$/.exec(
        pathname,
      ) ?? resolvePath.exec(pathname);
    const { id = "", what = "resolve", revision = "", path = "" } = match?.groups ?? {};
    const { authorization, range } = headers;
    const repository = this.#repositories.get(id);
    if (!repository) return refused(authorization ? 404 : 401, "RepoNotFound");
    const { commit, token, revisions = ["main"], entries } = repository;
    if (token && authorization !== `Bearer ${token}`) return refused(authorization ? 403 : 401, "GatedRepo");
    if (![commit, ...revisions].includes(decodeURIComponent(revision))) return refused(404, "RevisionNotFound");

    switch (what) {
      case "revision":
        return json({ _id: "0", id, sha: commit, private: false, lastModified: "2024-01-01" });
      case "tree": {
        const listed = tree(entries, searchParams.get("recursive") === "true");
        const start = Number(searchParams.get("cursor") ?? 0);
        const end = start + this.pageSize;
        searchParams.set("cursor", String(end));
        const link = `<${this.url}${pathname}?${searchParams}>; rel="next"`;
        return json(listed.slice(start, end), end < listed.length ? { link } : {});
      }
      case "paths-info": {
        const { paths } = JSON.parse(body) as { readonly paths: readonly string[] };
        const lastCommit = { id: commit, title: "", date: "2024-01-01" };
        return json(
          entries.filter((file) => paths.includes(file.path)).map((file) => ({ ...entry(file), lastCommit })),
        );
      }
      default: {
        const file = entries.find((candidate) => candidate.path === path);
        if (!file) return refused(404, "EntryNotFound");
        if (!file.large) return content(file, range);
        const size = String(file.bytes.length);
        const linked = { "x-linked-etag": `"${file.hash}"`, "x-linked-size": size, "x-repo-commit": commit };
        return { status: 302, headers: { location: `${address(this.#files)}${pathname}`, ...linked } };
      }
    }
  }

  #filesReply({ url, headers }: IncomingMessage): Reply {
    const { id = "", path = "" } = resolvePath.exec(url ?? "")?.groups ?? {};
    const file = this.#repositories.get(id)?.entries.find((candidate) => candidate.path === path);
    if (!file) return { status: 404 };
    const { mischief } = this;
    const reply = content(file, mischief.kind === "no ranges" ? undefined : headers.range);
    switch (mischief.kind) {
      case "down":
        return { status: 503 };
      case "stall":
        return { ...reply, silentAfter: mischief.after };
      case "damage":
        return { ...reply, bytes: reply.bytes!.map((byte, index) => (index === 0 ? byte ^ 1 : byte)) };
      default:
        return reply;
    }
  }

  #note(host: "hub" | "files", { method, url, headers }: IncomingMessage): void {
    this.requests.push({
      host,
      line: `${method} ${url}`,
      range: headers.range,
      authorization: headers.authorization,
    });
  }
}

function served({ files, lfs = [] }: ServedRepository): readonly ServedFile[] {
  return Object.entries(files).map(([path, content]) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const large = lfs.includes(path);
    const hash = large ? createHash("sha256") : createHash("sha1").update(`blob ${bytes.length}\0`);
    return { path, bytes, large, hash: hash.update(bytes).digest("hex") };
  });
}

/** Files and folders: all of them, or those of the top folder. */
function tree(files: readonly ServedFile[], recursive: boolean): readonly object[] {
  const parents = (path: string): readonly string[] =>
    path
      .split("/")
      .slice(0, -1)
      .map((_, depth, names) => names.slice(0, depth + 1).join("/"));
  const folders = [...new Set(files.flatMap(({ path }) => parents(path)))];
  const isListed = (path: string): boolean => recursive || !path.includes("/");
  return [
    ...folders.filter(isListed).map((path) => ({ type: "directory", path, size: 0, oid: "0".repeat(40) })),
    ...files.filter(({ path }) => isListed(path)).map(entry),
  ];
}

function entry({ path, bytes, hash, large }: ServedFile): object {
  const size = bytes.length;
  // A large file's own object in git is a small pointer, whose id nobody needs.
  const oid = large ? "0".repeat(40) : hash;
  return { type: "file", path, size, oid, ...(large && { lfs: { oid: hash, size, pointerSize: 134 } }) };
}

function address(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function refused(status: number, code: string): Reply {
  return { status, headers: { "x-error-code": code } };
}

function json(value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { status: 200, headers: { "content-type": "application/json", ...headers }, bytes };
}

function content({ bytes, hash }: ServedFile, range: string | undefined): Reply {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
  const headers = { etag: `"${hash}"`, "accept-ranges": "bytes" };
  if (!match) return { status: 200, headers, bytes };
  const start = Number(match[1]);
  const end = match[2] ? Number(match[2]) + 1 : bytes.length;
  const part = { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` };
  return { status: 206, headers: { ...headers, ...part }, bytes: bytes.subarray(start, end) };
}

function send(response: ServerResponse, { status, headers, bytes = new Uint8Array(), silentAfter }: Reply): void {
  response.writeHead(status, { ...headers, "content-length": bytes.length });
  if (silentAfter !== undefined) response.write(bytes.subarray(0, silentAfter));
  else response.end(bytes);
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}
