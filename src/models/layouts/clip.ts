import type { Encoder } from "../encoder.ts";
import { encodeSafetensors } from "../safetensors.ts";
import { ClipText } from "../text/clip-text.ts";
import { findTokenizer } from "../text/tokenizer.ts";
import { VitEncoder } from "../vit.ts";
import type { ClipParts } from "./clip-transformers.ts";
import {
  clipNormalization,
  isTransformersClip,
  readTransformersClip,
  transformersClipConfig,
  writeTransformersClip,
} from "./clip-transformers.ts";
import type { EncoderFiles, Layout, LayoutOptions, LayoutReader } from "./layout.ts";

/** transformers' `CLIPModel` and `CLIPVisionModelWithProjection`. */
export const transformersClipLayout: LayoutReader = {
  recognises: isTransformersClip,
  read: (files, options) =>
    clipEncoder(readTransformersClip(files.tensors, files.config), files, "transformers-clip", options),
};

/** The encoder that a layout's parts make. The text tower needs a tokeniser beside it, and is left out without one. */
export function clipEncoder(
  { vision, text }: ClipParts,
  { name, folder, normalization }: EncoderFiles,
  layout: Layout,
  { imageSize }: LayoutOptions,
): Encoder {
  const tokenizer = text && findTokenizer(folder);
  return new VitEncoder({
    name,
    architecture: vision.architecture,
    imageSize: imageSize ?? vision.imageSize,
    normalization: normalization ?? clipNormalization,
    parameters: vision.parameters,
    layout,
    ...(text && tokenizer && { text: new ClipText({ ...text, tokenizer }) }),
  });
}

/** The files of a `CLIPModel`, without those of its images. */
export function writeClip(encoder: VitEncoder): ReadonlyMap<string, Uint8Array | string> {
  const { architecture, imageSize, parameters, text } = encoder;
  const parts: ClipParts = {
    vision: { architecture, imageSize, parameters },
    ...(text instanceof ClipText && { text: { ...text, end: text.tokenizer.end } }),
  };
  return new Map<string, Uint8Array | string>([
    ["model.safetensors", encodeSafetensors(writeTransformersClip(parts), new Map([["format", "pt"]]))],
    ["config.json", `${JSON.stringify(transformersClipConfig(parts), undefined, 2)}\n`],
    ...(text?.tokenizer.files ?? []),
  ]);
}
