import { join } from "node:path";
import { LoreError } from "../errors.ts";
import { type CardFacts, modelCard } from "./card.ts";
import type { Encoder } from "./encoder.ts";
import { readBytes, writeAtomically } from "./files.ts";
import { writeClip } from "./layouts/clip.ts";
import type { Layout } from "./layouts/layout.ts";
import { clipModels } from "./saving/clip-onnx.ts";
import { encoderModel } from "./saving/encoder-model.ts";
import { preprocessorConfig } from "./saving/preprocessor-config.ts";
import { jsonFile, type SavedFile } from "./saving/saved-file.ts";
import { timmFiles } from "./saving/timm-files.ts";
import { transformersJsFolder } from "./saving/transformers-js.ts";
import { OnnxText } from "./text/onnx-text.ts";
import { VitEncoder } from "./vit.ts";

export interface SaveOptions {
  /** What the model card says of training and of measured robustness. */
  readonly card?: CardFacts;
}

/**
 * Saves an encoder as a folder that `loadEncoder` and transformers.js read, in the layout it came in: weights,
 * `config.json`, `preprocessor_config.json`, the tokeniser's files, ONNX in `onnx/`, and a model card, `README.md`.
 * Files of these names are overwritten.
 *
 * @throws LoreError when a file cannot be written
 */
export function saveEncoder(encoder: Encoder, folder: string, { card = {} }: SaveOptions = {}): void {
  for (const [path, content] of encoderFiles(encoder, card)) writeAtomically(join(folder, path), content);
}

/** One file after the other, so that only one has to be in memory. */
function* encoderFiles(encoder: Encoder, card: CardFacts): Iterable<SavedFile> {
  yield* layoutFiles[encoder.layout](encoder);
  yield jsonFile("preprocessor_config.json", preprocessorConfig(encoder));
  yield ["README.md", modelCard(encoder, card)];
}

const layoutFiles: Readonly<Record<Layout, (encoder: Encoder) => Iterable<SavedFile>>> = {
  timm: (encoder) => transformersJsFolder(timmFiles(vit(encoder)), new Map([["model.onnx", encoderModel(encoder)]])),
  "transformers-clip": transformersClip,
  "transformers-dinov2": transformersClip,
  "open-clip": transformersClip,
  "open-clip-visual": transformersClip,
};

function* transformersClip(encoder: Encoder): Iterable<SavedFile> {
  yield* transformersJsFolder(writeClip(vit(encoder)), clipModels(encoder));
  if (encoder.text instanceof OnnxText) yield* textFiles(encoder.text);
}

function* textFiles({ path, dataPath }: OnnxText): Iterable<SavedFile> {
  yield ["onnx/text_model.onnx", readBytes(path)];
  if (dataPath) yield ["onnx/text_model.onnx_data", readBytes(dataPath)];
}

function vit(encoder: Encoder): VitEncoder {
  if (encoder instanceof VitEncoder) return encoder;
  throw new LoreError(`${encoder.name} is no vision transformer, which its layout ${encoder.layout} holds.`);
}
