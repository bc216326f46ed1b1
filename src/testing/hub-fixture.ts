import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from "vitest";
import { UsageError } from "../errors.ts";
import { downloadEncoder } from "../hub/download.ts";
import { HubServer, type ServedRepository } from "./hub-server.ts";

/** The content of `model.safetensors` in `clip`: several pieces of a transfer long, no two stretches alike. */
export const weights = new Uint8Array(400_000).map((_, index) => Math.imul(index, 0x9e3779b1) >>> 19);
export const weightsHash = createHash("sha256").update(weights).digest("hex");
export const commit = "0123456789abcdef0123456789abcdef01234567";

/** A repository as they are on the hub, with more than an encoder needs. */
export const clip: ServedRepository = {
  id: "tests/clip",
  commit,
  files: {
    "README.md": "not needed",
    "config.json": '{ "model_type": "clip" }',
    "model.fp16.safetensors": "not needed",
    "model.safetensors": weights,
    "open_clip_model.safetensors": "not needed",
    "preprocessor_config.json": "{}",
    "pytorch_model.bin": "never",
    "tokenizer.json": "{}",
  },
  lfs: ["model.safetensors", "pytorch_model.bin"],
};

/** Files of `clip` that an encoder needs. */
export const clipFiles = ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"];

export interface HubFixture {
  /** Serves `clip`. */
  readonly server: HubServer;
  /** `HF_HOME`, empty before each test. */
  readonly home: string;
  /** Folder of `clip` in the cache. */
  readonly repository: string;
  readonly snapshot: string;
  /** The blob of `weights`. */
  readonly blob: string;
}

/** A separate hub for the tests of a file. Their environment points to it and to an empty cache. */
export function hubFixture(): HubFixture {
  let server: HubServer;
  let home: string;
  beforeAll(async () => {
    server = await HubServer.start();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "lore-hub-"));
    for (const name of Object.keys(process.env))
      if (/^(HF_|HUGGING|TRANSFORMERS_|XDG_)/.test(name)) vi.stubEnv(name, undefined);
    vi.stubEnv("HF_ENDPOINT", server.url);
    vi.stubEnv("HF_HOME", home);
    // A slow response on a busy machine must not count as a silent hub.
    vi.stubEnv("HF_HUB_ETAG_TIMEOUT", "60");
    vi.stubEnv("HF_HUB_DOWNLOAD_TIMEOUT", "60");
    server.reset();
    server.serve(clip);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true, force: true });
  });
  return {
    get server() {
      return server;
    },
    get home() {
      return home;
    },
    get repository() {
      return join(home, "hub", "models--tests--clip");
    },
    get snapshot() {
      return join(this.repository, "snapshots", commit);
    },
    get blob() {
      return join(this.repository, "blobs", weightsHash);
    },
  };
}

/** The message with which `downloadEncoder` refuses. */
export async function refusal(spec: string): Promise<string> {
  const failure = await downloadEncoder(spec).catch((cause: unknown) => cause);
  expect(failure).toBeInstanceOf(UsageError);
  expect((failure as UsageError).message).toContain(`Encoder ${spec}: `);
  return (failure as UsageError).message;
}
