import { join } from "node:path";
import { LoreError, UsageError } from "../../errors.ts";
import { jsonFile, type SavedFile, writeAtomically } from "../../files.ts";
import { VitEncoder } from "../architectures/vit.ts";
import type { Encoder } from "../encoder.ts";
import { otherClipConfig, writeClip } from "../layouts/clip.ts";
import { dinov2Files } from "../layouts/dinov2.ts";
import type { Layout } from "../layouts/layout.ts";
import { openClipFiles } from "../layouts/open-clip.ts";
import { preprocessorConfig } from "../preprocessing/index.ts";
import type { CardFacts } from "./card.ts";
import { cardFiles } from "./card-file.ts";
import { clipModels } from "./clip-onnx.ts";
import { dinov2Model, encoderModel } from "./encoder-model.ts";
import { onnxEncoderFiles } from "./onnx-encoder.ts";
import { timmFiles } from "./timm-files.ts";
import { transformersJsFolder } from "./transformers-js.ts";

export interface SaveOptions {
  /** Facts for the model card about training and measured robustness. With `format`, weights are saved in that format only. */
  readonly card?: CardFacts;
}

/**
 * Saves an encoder as a folder that `loadEncoder` and transformers.js read, in the layout it came in: weights,
 * `config.json`, `preprocessor_config.json`, the tokeniser's files, ONNX in `onnx/`, and a model card, `README.md`.
 * Files of these names are overwritten.
 *
 * @throws UsageError when the encoder came as an ONNX file and safetensors are asked for; LoreError when a file cannot be
 * written
 *
 * @example
 * ```ts
 * import { loadEncoder, saveEncoder } from "lore-vision";
 *
 * const encoder = await loadEncoder("openai/clip-vit-base-patch32");
 * saveEncoder(encoder, "clip"); // safetensors and ONNX, for transformers, transformers.js and onnxruntime
 * ```
 */
export function saveEncoder(encoder: Encoder, folder: string, { card = {} }: SaveOptions = {}): void {
  if (card.format === "safetensors" && encoder.layout === "onnx")
    throw new UsageError(
      `${encoder.name} came as an ONNX file: safetensors hold weights, and not the graph that uses them. Give the format onnx.`,
    );
  for (const [path, content] of encoderFiles(encoder, card))
    if (isWanted(path, card)) writeAtomically(join(folder, path), content);
}

/** Weights in another format than the only one that is asked for are left out. */
function isWanted(path: string, { format }: CardFacts): boolean {
  return format === "onnx" ? !path.endsWith(".safetensors") : format === undefined || !path.startsWith("onnx/");
}

/** One file after the other, so that only one has to be in memory. */
function* encoderFiles(encoder: Encoder, card: CardFacts): Iterable<SavedFile> {
  yield jsonFile("preprocessor_config.json", preprocessorConfig(encoder));
  yield* layoutFiles[encoder.layout](encoder);
  yield* cardFiles(encoder, card);
}

const layoutFiles: Readonly<Record<Layout, (encoder: Encoder) => Iterable<SavedFile>>> = {
  timm: (encoder) => transformersJsFolder(timmFiles(vit(encoder)), new Map([["model.onnx", encoderModel(encoder)]])),
  "transformers-dinov2": (encoder) =>
    transformersJsFolder(dinov2Files(vit(encoder)), new Map([["model.onnx", dinov2Model(vit(encoder))]])),
  "transformers-clip": (encoder) => transformersJsFolder(writeClip(vit(encoder)), clipModels(encoder)),
  "open-clip": openClip,
  "open-clip-visual": openClip,
  onnx: onnxEncoderFiles,
};

/** Both layouts in one folder, as the hub's repositories of open_clip's models are. */
function openClip(encoder: Encoder): Iterable<SavedFile> {
  const files =
    encoder instanceof VitEncoder ? writeClip(encoder) : new Map([jsonFile("config.json", otherClipConfig(encoder))]);
  return transformersJsFolder(new Map([...files, ...openClipFiles(encoder)]), clipModels(encoder));
}

function vit(encoder: Encoder): VitEncoder {
  if (encoder instanceof VitEncoder) return encoder;
  throw new LoreError(`${encoder.name} is no vision transformer, which its layout ${encoder.layout} holds.`);
}
