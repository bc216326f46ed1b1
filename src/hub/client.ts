import { UsageError } from "../errors.ts";
import type { HubSettings } from "./settings.ts";

/** The hub gives no answer that can be used: no network, no answer in time, or an error of its own. */
export class HubUnreachable extends UsageError {}

export interface RepositoryRevision {
  readonly type: "model" | "dataset";
  /** `owner/name` */
  readonly id: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

export interface HubClient {
  /** For questions: what `@huggingface/hub` takes as its `fetch`. Answers come whole, in time, and with status 2xx. */
  readonly fetch: typeof fetch;
  /** The bytes of a file from `offset` on, with the place of each piece: a server may choose to begin at 0. */
  read(url: string, offset: number): AsyncGenerator<{ readonly at: number; readonly bytes: Uint8Array }>;
}

/**
 * HTTP as the hub needs it. The token goes only to the hub's own address, since files lie on other hosts. Every request has
 * a timeout, and every error says what to do.
 *
 * Its functions throw `HubUnreachable`, a `UsageError` when the hub refuses, or the signal's reason.
 */
export function hubClient(settings: HubSettings, repository: RepositoryRevision, signal?: AbortSignal): HubClient {
  const { endpoint, token, answerTimeout, stallTimeout } = settings;

  async function request(url: URL, init: RequestInit | undefined, limit: AbortSignal): Promise<Response> {
    const headers = new Headers(init?.headers);
    if (token && url.origin === new URL(endpoint).origin) headers.set("authorization", `Bearer ${token}`);
    const response = await fetch(url, { ...init, headers, signal: signal ? AbortSignal.any([signal, limit]) : limit });
    if (response.ok) return response;
    await response.body?.cancel();
    throw refusal(response, settings, repository);
  }

  function explain(cause: unknown, url: URL): unknown {
    if (signal?.aborted) return signal.reason;
    return cause instanceof UsageError ? cause : unreachable(url, cause);
  }

  async function ask(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const url = new URL(input instanceof Request ? input.url : input);
    let answer: [ArrayBuffer, Response];
    try {
      const response = await request(url, init, AbortSignal.timeout(answerTimeout));
      answer = [await response.arrayBuffer(), response];
    } catch (cause) {
      throw explain(cause, url);
    }
    return new Response(...answer);
  }

  async function* read(address: string, offset: number): ReturnType<HubClient["read"]> {
    const url = new URL(address);
    const stalled = new AbortController();
    const timer = setTimeout(() => stalled.abort(new DOMException("it stands still", "TimeoutError")), stallTimeout);
    try {
      const headers = { "accept-encoding": "identity", ...(offset > 0 && { range: `bytes=${offset}-` }) };
      const response = await request(url, { headers }, stalled.signal);
      let at = Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? 0);
      for await (const bytes of response.body ?? []) {
        yield { at, bytes };
        at += bytes.length;
        timer.refresh();
      }
    } catch (cause) {
      throw explain(cause, url);
    } finally {
      clearTimeout(timer);
    }
  }

  return { fetch: ask, read };
}

function unreachable(url: URL, cause: unknown): HubUnreachable {
  return new HubUnreachable(`${url.host} cannot be reached (${networkReason(cause)})`, { cause });
}

function networkReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === "TimeoutError") return "no answer in time; HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT set it";
  const inner = cause.cause;
  if (inner instanceof Error) return "code" in inner ? String(inner.code) : inner.message;
  return cause.message;
}

function refusal(
  response: Response,
  { endpoint, token }: HubSettings,
  { type, id, revision }: RepositoryRevision,
): UsageError {
  const { status, headers } = response;
  const from = new URL(response.url || endpoint);
  const reason = headers.get("x-error-code");
  if (status === 408 || status === 429 || status >= 500 || from.origin !== new URL(endpoint).origin)
    return new HubUnreachable(`${from.host} answered with status ${status}`);
  if (reason === "RevisionNotFound") return new UsageError(`${from.host} has no revision "${revision}" of it.`);
  // The hub also answers 401 for a missing repository, to users without access.
  if (status === 404 || reason === "RepoNotFound") {
    return new UsageError(
      `${from.host} has no such repository, or it is private. Check the name, or set HF_TOKEN to a token that may read ` +
        "it. If a folder was meant: there is none of this name.",
    );
  }
  if (status === 401 || status === 403) {
    return new UsageError(
      `${from.host} refuses access (${status}): it is gated or private, and ` +
        `${token ? "the token that was sent may not read it" : "no token was sent"}. Accept its terms at ` +
        `${endpoint}/${type === "dataset" ? "datasets/" : ""}${id}, and set HF_TOKEN to a token that may read it.`,
    );
  }
  return new UsageError(`${from.host} answered with status ${status} to ${response.url}.`);
}
