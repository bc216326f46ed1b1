import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { UsageError } from "../errors.ts";
import { readBytes, readJson } from "../files.ts";
import { externalLocations, OnnxError } from "../onnx/index.ts";
import { isPickle, pickledRepositoryRefusal } from "./pickle.ts";

/** A file of a repository on the hub. */
export interface RepositoryFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** 40 hexadecimal digits: git's object id; 64: the SHA-256 of the content. */
  readonly hash: string;
}

/** Settings files of an encoder, beside its weights. */
export const settingsFiles = [
  "config.json",
  "open_clip_config.json",
  "preprocessor_config.json",
  "processor_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "vocab.json",
  "merges.txt",
  "special_tokens_map.json",
];

const weights = "model.safetensors";
const shardIndex = "model.safetensors.index.json";
const shard = /^model-\d{5}-of-\d{5}\.safetensors$/;
const openClipWeights = "open_clip_model.safetensors";
const textModel = ["onnx/text_model.onnx", "onnx/text_model.onnx_data"];
/** Encoders of which a repository has ONNX alone, as transformers.js' own are; the vision tower of a CLIP first. */
const onnxModels = ["onnx/vision_model.onnx", "onnx/model.onnx", "model.onnx"];
const dataOf = (model: string): string => `${model}_data`;

/**
 * The files that an encoder needs from a repository's top folder: settings, tokeniser, and one copy of the weights. They are in transformers' form
 * (one file, else shards), else in open_clip's. A file that is much smaller than another is passed over: timm's
 * repositories of OpenAI's weights hold the vision tower alone beside open_clip's file with both. Where there are none of
 * these, the ONNX model of a transformers.js repository. The weights come last, so that a folder that has them has the rest.
 *
 * @throws UsageError when there are no weights in safetensors and no ONNX model
 */
export function chooseFiles(id: string, files: readonly RepositoryFile[]): readonly RepositoryFile[] {
  const named = (...names: readonly string[]) => files.filter(({ path }) => names.includes(path));
  const shards = files.filter(({ path }) => shard.test(path));
  const sharded = shards.length > 0 ? named(shardIndex) : [];
  const choices = [named(weights), sharded.length > 0 ? [...sharded, ...shards] : [], named(openClipWeights)];
  const towers = choices.map((choice) => choice.reduce((sum, { size }) => sum + size, 0));
  const most = Math.max(...towers);
  const chosen = choices.find((choice, i) => choice.length > 0 && towers[i]! >= 0.95 * most);
  if (chosen) return [...named(...settingsFiles), ...chosen];
  const model = onnxModels.find((name) => named(name).length > 0);
  if (model !== undefined) return [...named(...settingsFiles), ...named(dataOf(model)), ...named(model)];

  const names = files.toSorted((a, b) => b.size - a.size).map(({ path }) => path);
  if (names.some(isPickle)) throw new UsageError(pickledRepositoryRefusal(id, names));
  throw new UsageError(
    `It holds no weights that can be read: neither ${weights}, nor ${shardIndex} with its shards, nor ` +
      `${openClipWeights}, nor ${onnxModels.join(" or ")}; only ${names.join(", ") || "nothing"}.`,
  );
}

/** Whether an encoder may need a file: those of the top folder, and those in `onnx/`, where weights have any names. */
export function mayBeNeeded(path: string): boolean {
  return !path.includes("/") || path.startsWith("onnx/");
}

/**
 * The files of weights that an ONNX file of a repository names.
 *
 * @param path where the file lies in the repository
 * @param at where it lies here
 */
export function weightsOfOnnx(files: readonly RepositoryFile[], path: string, at: string): readonly RepositoryFile[] {
  const locations = locationsIn(at).map((location) => posix.join(posix.dirname(path), location));
  return files.filter((file) => locations.includes(file.path));
}

function locationsIn(at: string): readonly string[] {
  try {
    return externalLocations(readBytes(at));
  } catch (cause) {
    // Opening the file later reports the error.
    if (cause instanceof OnnxError) return [];
    throw cause;
  }
}

/** The text tower of a transformers.js folder, which stands in where the weights have none. */
export function textModelFiles(files: readonly RepositoryFile[]): readonly RepositoryFile[] {
  return files.filter(({ path }) => textModel.includes(path));
}

/**
 * Whether tensors of these names are a CLIP with its text tower, in transformers' layout or open_clip's: both call the
 * token embedding the same.
 */
export function holdTextTower(names: readonly string[]): boolean {
  return names.some((name) => /(^|\.)token_embedding\.weight$/.test(name));
}

/** Whether a snapshot folder holds all of an encoder's weights. */
export function holdsWeights(folder: string): boolean {
  const present = (name: string) => existsSync(join(folder, name));
  if (present(weights) || present(openClipWeights)) return true;
  if (!present(shardIndex)) return onnxModels.some(present);
  const index = readJson(join(folder, shardIndex));
  if (typeof index !== "object" || index === null || !("weight_map" in index)) return false;
  return Object.values(index.weight_map ?? {}).every((name) => typeof name === "string" && present(name));
}
