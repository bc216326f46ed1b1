import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, normalize, resolve } from "node:path";
import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { readJson } from "../../files.ts";
import type { DownloadOptions } from "../../hub/index.ts";
import { settingsFiles } from "../../hub/index.ts";
import type { Normalization } from "../encoder.ts";
import { Config } from "../layouts/config.ts";
import type { LayoutOptions } from "../layouts/layout.ts";
import { contradiction, statedIn } from "../preprocessing/index.ts";
import { OnnxText } from "../text/onnx-text.ts";
import type { TextTower } from "../text/text-tower.ts";
import { findTokenizer } from "../text/tokenizer.ts";
import type { OnnxEncoder } from "./encoder.ts";
import { externalPath, type OnnxFile, readOnnxFile } from "./file.ts";
import { matching } from "./glob.ts";
import { openOnnxEncoder } from "./open.ts";

/** Settings of an ONNX file that it does not contain. */
export interface OnnxOptions {
  /** The value that is the embedding: an output of the file, or any value between its nodes. */
  readonly output?: string;
  /** Only weights that one of these patterns matches are trained; `*` stands for any characters. Default: all. */
  readonly trainable?: readonly string[];
  /** Weights that one of these patterns matches are not trained. */
  readonly freeze?: readonly string[];
  /** Normalisation of pixels in [0, 1] before the file's input. Default: that of `preprocessor_config.json`. */
  readonly normalization?: Normalization;
}

interface LoadOnnxOptions extends OnnxOptions, Pick<LayoutOptions, "imageSize">, Pick<DownloadOptions, "onWarning"> {
  /** The encoder's name in tables and run folders. Default: the file's or the folder's name. */
  readonly name?: string;
}

/** Dialects of preprocessing, in the order of preference. */
const dialects = ["transformers", "timm", "open_clip"] as const;

/** Settings of a saved encoder that its ONNX file cannot hold. */
export const onnxSettingsName = "lore-encoder.json";

/**
 * Loads an encoder from an ONNX file, with what lies beside it or in the folder above `onnx/`: `preprocessor_config.json`,
 * and for a CLIP `text_model.onnx` with a tokeniser.
 *
 * @throws UsageError when it cannot be read, or what it needs is neither there nor given
 */
export function loadOnnxEncoder(
  path: string,
  { name, imageSize, onWarning, ...options }: LoadOnnxOptions,
): OnnxEncoder {
  const file = readOnnxFile(path);
  if (file.quantized)
    onWarning?.(`${path} is quantised. It is computed, trained and saved in float32, and activations are not rounded.`);
  const folder = encoderFolderOf(path);
  const doubt = contradiction(folder, dialects);
  if (doubt !== undefined) onWarning?.(doubt);
  const stated = statedIn(folder, dialects);
  const settings = configIn(folder, onnxSettingsName);
  const output = options.output ?? settings.text("output");
  return openOnnxEncoder(file, {
    name: name ?? nameOf(path, folder),
    stated,
    normalization: options.normalization ?? stated.normalization ?? refuseUnstated(),
    isTrained: matching(options.trainable ?? ["*"], options.freeze ?? []),
    settings: settingsIn(folder),
    text: (embeddingSize) => textTower(file, folder, embeddingSize),
    ...defined({ imageSize, output }),
    hasText: existsSync(textPath(folder)),
    onNote: (note) => onWarning?.(`${path}: ${note}`),
  });
}

const usualNames = ["vision_model.onnx", "model.onnx"];

/** How transformers.js marks files of the same model in other element types. */
const variant = /_(fp16|int8|uint8|quantized|q4|q4f16|bnb4)\.onnx$/;

/**
 * The ONNX file of an encoder's folder: of a usual name, else the only one that is neither a text tower nor another's copy
 * in a smaller element type; undefined for none.
 */
export function onnxFileIn(folder: string): string | undefined {
  const folders = [join(folder, "onnx"), folder].filter((path) => existsSync(path));
  const files = folders.flatMap((path) => readdirSync(path).map((name) => join(path, name)));
  const models = files.filter((path) => isVision(basename(path)) && !isCopy(path, files));
  const usual = usualNames.map((name) => models.find((path) => basename(path) === name)).find((path) => path);
  return usual ?? (models.length === 1 ? models[0] : undefined);
}

const isVision = (name: string): boolean => name.endsWith(".onnx") && !name.includes("text_model");

const isCopy = (path: string, files: readonly string[]): boolean =>
  variant.test(path) && files.includes(path.replace(variant, ".onnx"));

/** Where the settings of an ONNX file lie: in its own folder, or above `onnx/`. */
function encoderFolderOf(path: string): string {
  const folder = dirname(resolve(path));
  return basename(folder) === "onnx" ? dirname(folder) : folder;
}

/** Settings files that are copied with the encoder. Preprocessing is not copied but written anew in one form. */
function settingsIn(folder: string): readonly string[] {
  const names = settingsFiles.filter((name) => name !== "preprocessor_config.json" && name !== "processor_config.json");
  return names.map((name) => join(folder, name)).filter((path) => existsSync(path));
}

function nameOf(path: string, folder: string): string {
  return usualNames.includes(basename(path)) ? basename(folder) : basename(path, ".onnx");
}

function configIn(folder: string, name: string): Config {
  const path = join(folder, name);
  return new Config(existsSync(path) ? readJson(path) : undefined, name);
}

function refuseUnstated(): never {
  throw new UsageError(
    "Nothing says how pixels are normalised before its input: put preprocessor_config.json beside it, or say " +
      "--normalization imagenet, clip, half or none (in code, normalization).",
  );
}

const textPath = (folder: string): string => join(folder, "onnx", "text_model.onnx");

function textTower(file: OnnxFile, folder: string, embeddingSize: number): TextTower | undefined {
  const path = textPath(folder);
  const tokenizer = existsSync(path) ? findTokenizer(folder) : undefined;
  if (!tokenizer) return undefined;
  const config = configIn(folder, "config.json");
  const contextLength = config.object("text_config").count("max_position_embeddings", 77);
  const text = OnnxText.open({ path, tokenizer, embeddingSize, contextLength });
  refuseClash(file, text);
  return text;
}

/** @throws UsageError when two files of weights would become one in a saved folder, where both ONNX files lie in `onnx/` */
function refuseClash(...[images, texts]: readonly [OnnxFile, OnnxText]): void {
  const pathsOf = ({ path, external }: OnnxFile | OnnxText): ReadonlyMap<string, string> =>
    new Map(external.map((location) => [normalize(location), resolve(externalPath(path, location))]));
  const known = pathsOf(texts);
  for (const [name, path] of pathsOf(images)) {
    if ((known.get(name) ?? path) !== path)
      throw new UsageError(`${images.path} and ${texts.path} each call a file of weights ${name}: rename one of them.`);
  }
}
