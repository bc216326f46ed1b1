import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { getHFHubCachePath } from "@huggingface/hub";
import { UsageError } from "../errors.ts";

/** Settings of the hub from the environment, in the variables of Python's `huggingface_hub`. */
export interface HubSettings {
  /** `HF_ENDPOINT`, without a slash at its end. */
  readonly endpoint: string;
  /** `HF_HUB_CACHE`, else `hub` in `HF_HOME`. */
  readonly cache: string;
  /** `HF_TOKEN`, else what `hf auth login` left in `HF_HOME`. */
  readonly token?: string;
  /** `HF_HUB_OFFLINE`, or `TRANSFORMERS_OFFLINE` where that is not set. */
  readonly offline: boolean;
  /** Milliseconds to wait for an answer from the hub: `HF_HUB_ETAG_TIMEOUT`, there in seconds. */
  readonly answerTimeout: number;
  /** Milliseconds that a transfer may stall: `HF_HUB_DOWNLOAD_TIMEOUT`, there in seconds. */
  readonly stallTimeout: number;
}

/** @throws UsageError when `HF_ENDPOINT` is no address */
export function hubSettings(): HubSettings {
  const { HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT } = process.env;
  const token = readToken();
  return {
    endpoint: readEndpoint(),
    cache: expandHome(getHFHubCachePath()),
    ...(token && { token }),
    offline: /^(1|on|yes|true)$/i.test(HF_HUB_OFFLINE || TRANSFORMERS_OFFLINE || ""),
    answerTimeout: milliseconds(HF_HUB_ETAG_TIMEOUT),
    stallTimeout: milliseconds(HF_HUB_DOWNLOAD_TIMEOUT),
  };
}

function readEndpoint(): string {
  const endpoint = (process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");
  if (/^https?:/.test(endpoint) && URL.canParse(endpoint)) return endpoint;
  throw new UsageError(
    `HF_ENDPOINT is "${endpoint}", which is no address of a hub. Write it like https://huggingface.co.`,
  );
}

function readToken(): string | undefined {
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, HF_HOME, XDG_CACHE_HOME } = process.env;
  const given = (HF_TOKEN || HUGGING_FACE_HUB_TOKEN)?.trim();
  if (given) return given;
  const home = HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
  const file = expandHome(HF_TOKEN_PATH ?? join(home, "token"));
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

function expandHome(path: string): string {
  return path.replace(/^~(?=[/\\]|$)/, homedir());
}

function milliseconds(seconds: string | undefined): number {
  const given = Number(seconds);
  return Math.ceil((given > 0 ? given : 10) * 1000);
}
