import { existsSync } from "node:fs";
import { join } from "node:path";
import { defined } from "../../defined.ts";
import { type FileContent, jsonFile } from "../../files.ts";
import { safetensorsPieces } from "../../safetensors.ts";
import type { Tensor } from "../../tensor/index.ts";
import { VitEncoder } from "../architectures/vit.ts";
import type { Encoder } from "../encoder.ts";
import { normalizations } from "../normalizations.ts";
import { checkSize, type Stated } from "../preprocessing/index.ts";
import { ClipText } from "../text/clip-text.ts";
import { OnnxText } from "../text/onnx-text.ts";
import type { TextTower } from "../text/text-tower.ts";
import { findTokenizer } from "../text/tokenizer.ts";
import type { ClipParts, ClipTextParts } from "./clip-transformers.ts";
import {
  isTransformersClip,
  readTransformersClip,
  transformersClipConfig,
  writeTransformersClip,
} from "./clip-transformers.ts";
import type { EncoderFiles, Layout, LayoutOptions, LayoutReader } from "./layout.ts";
import { readLogitScale, writeLogitScale } from "./logit-scale.ts";

/** transformers' `CLIPModel` and `CLIPVisionModelWithProjection`. */
export const transformersClipLayout: LayoutReader = {
  recognises: isTransformersClip,
  read: (files, options) =>
    clipEncoder(
      readTransformersClip(files.tensors, files.config),
      files,
      { layout: "transformers-clip", stated: files.stated("transformers") },
      options,
    ),
};

/** The encoder that a layout's parts make. */
export function clipEncoder(
  parts: ClipParts,
  files: EncoderFiles,
  { layout, stated }: { readonly layout: Layout; readonly stated: Stated },
  options: LayoutOptions,
): Encoder {
  const { vision } = parts;
  checkSize(stated, vision.imageSize, options.imageSize);
  const imageSize = options.imageSize ?? vision.imageSize;
  const text = textTower(parts.text, vision.architecture.projection ?? vision.architecture.width, files);
  return new VitEncoder({
    name: files.name,
    architecture: vision.architecture,
    imageSize,
    ...(stated.framing && { framing: stated.framing(imageSize) }),
    normalization: stated.normalization ?? normalizations.clip,
    parameters: vision.parameters,
    layout,
    ...defined({ text }),
  });
}

/**
 * A CLIP's text tower: the one that was read from the tensors, else `onnx/text_model.onnx`. It needs a tokeniser beside
 * it, and is left out without one.
 *
 * @param embeddingSize the image embedding's
 */
export function textTower(
  text: ClipTextParts | undefined,
  embeddingSize: number,
  { folder, tensors, config }: EncoderFiles,
): TextTower | undefined {
  const path = join(folder, "onnx", "text_model.onnx");
  if (!text && !existsSync(path)) return undefined;
  const tokenizer = findTokenizer(folder);
  if (!tokenizer) return undefined;
  if (text) return new ClipText({ ...text, tokenizer });
  return OnnxText.open({
    path,
    tokenizer,
    embeddingSize,
    contextLength: config.object("text_config").count("max_position_embeddings", 77),
    ...(tensors.has("logit_scale") && { logitScale: readLogitScale(tensors) }),
  });
}

/** The files of a `CLIPModel`, without those of its images and of ONNX. */
export function writeClip(encoder: VitEncoder): ReadonlyMap<string, FileContent> {
  const { architecture, imageSize, parameters, text } = encoder;
  const parts: ClipParts = {
    vision: { architecture, imageSize, parameters },
    ...(text instanceof ClipText && { text: { ...text, end: text.tokenizer.end } }),
  };
  const tensors = new Map<string, Tensor>([
    ...(text ? [writeLogitScale(text.logitScale)] : []),
    ...writeTransformersClip(parts),
  ]);
  return new Map<string, FileContent>([
    ["model.safetensors", safetensorsPieces(tensors, new Map([["format", "pt"]]))],
    jsonFile("config.json", configOf(parts, text)),
    ...(text?.tokenizer.files ?? []),
  ]);
}

function configOf(parts: ClipParts, text: TextTower | undefined): object {
  const config = transformersClipConfig(parts);
  if (!text || text instanceof ClipText) return config;
  return {
    architectures: ["CLIPVisionModelWithProjection"],
    model_type: "clip",
    projection_dim: text.embeddingSize,
    vision_config: config,
    text_config: onnxTextConfig(text),
  };
}

/** The known settings of a text tower that is an ONNX file. */
function onnxTextConfig({ contextLength, embeddingSize }: TextTower): object {
  return {
    model_type: "clip_text_model",
    max_position_embeddings: contextLength,
    projection_dim: embeddingSize,
  };
}

/** `config.json` of a CLIP that transformers has no class for; transformers.js asks for no more than this. */
export function otherClipConfig({ embeddingSize, text }: Encoder): object {
  return {
    model_type: "clip",
    projection_dim: embeddingSize,
    ...(text instanceof OnnxText && { text_config: onnxTextConfig(text) }),
  };
}
