import { existsSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { readTensorNames } from "../safetensors.ts";
import type { RepositoryRevision } from "./client.ts";
import { chooseFiles, holdsWeights, holdTextTower, mayBeNeeded, textModelFiles, weightsOfOnnx } from "./files.ts";
import { type DownloadOptions, type Need, obtainSnapshot } from "./snapshot.ts";

export type { DownloadOptions, DownloadProgress } from "./snapshot.ts";

const hubId = /^(?<id>\w[\w.-]*\/\w[\w.-]*)(?:@(?<revision>\w[\w./-]*))?$/;
const fileName = /\.(safetensors|onnx|json|pt|pth|bin|ckpt)$/;

/** True for `owner/name`, optionally `owner/name@revision`, when no file or folder of that name exists. */
export function isHubId(spec: string): boolean {
  return parseHubId(spec) !== undefined && !existsSync(spec);
}

/**
 * Downloads what an encoder needs (settings, tokeniser, weights in safetensors, where there are none an ONNX model, and
 * `onnx/text_model.onnx` where these have no text tower) into the standard cache, and returns the snapshot's folder. What is there is not downloaded again;
 * what was cut off continues. Honours the variables of Python's `huggingface_hub`: `HF_HOME`, `HF_HUB_CACHE`,
 * `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`, `HF_HUB_ETAG_TIMEOUT`, `HF_HUB_DOWNLOAD_TIMEOUT`. Files come over plain
 * HTTP, whose byte ranges any mirror has, not over xet.
 *
 * @param spec `owner/name` or `owner/name@revision`: a branch, a tag or a full commit; default `main`
 * @throws UsageError when the hub refuses or cannot be reached and the cache has no copy, when the repository has neither
 *   weights in safetensors nor an ONNX model, or when the cache cannot be written; the signal's reason when that ends it
 */
export async function downloadEncoder(spec: string, options: DownloadOptions = {}): Promise<string> {
  const repository = parseHubId(spec);
  if (!repository) throw new UsageError(`"${spec}" is no hub id: write owner/name or owner/name@revision.`);
  try {
    return await obtainSnapshot(repository, encoderNeed(repository.id), options);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`Encoder ${spec}: no such folder here. As a hub id: ${cause.message}`, { cause });
  }
}

/** `owner/name` or `owner/name@revision`; undefined for what is none. */
export function parseHubId(spec: string): RepositoryRevision | undefined {
  const { id, revision = "main" } = hubId.exec(spec)?.groups ?? {};
  // Two dots would lead out of the cache, two hyphens are its separator; a file's name is a mistyped path.
  if (!id || /\.\.|--/.test(spec) || fileName.test(spec)) return undefined;
  return { type: "model", id, revision };
}

function encoderNeed(id: string): Need {
  return {
    what: "in safetensors or ONNX",
    mayBeNeeded,
    choose: (files) => chooseFiles(id, files),
    // The ONNX text tower, where the repository has one and its weights do not; files of weights that ONNX files name.
    more: (files, here) => {
      const models = here.filter(({ file }) => file.path.endsWith(".onnx"));
      const held = models.flatMap(({ file, at }) => weightsOfOnnx(files, file.path, at));
      const textModel = textModelFiles(files);
      if (textModel.length === 0) return held;
      const weights = here.filter(({ file }) => file.path.endsWith(".safetensors"));
      return holdTextTower(weights.flatMap(({ at }) => readTensorNames(at))) ? held : [...held, ...textModel];
    },
    holds: holdsWeights,
  };
}
