import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { type FileContent, jsonFile } from "../../files.ts";
import { safetensorsPieces } from "../../safetensors.ts";
import type { Tensor } from "../../tensor/index.ts";
import { some } from "../../words.ts";
import { ConvNextEncoder } from "../architectures/convnext.ts";
import type { VitEncoder } from "../architectures/vit.ts";
import type { Encoder } from "../encoder.ts";
import { normalizations } from "../normalizations.ts";
import { openClipPreprocessing, type Stated } from "../preprocessing/index.ts";
import { ClipText } from "../text/clip-text.ts";
import { clipEncoder, textTower } from "./clip.ts";
import type { ClipTextParts } from "./clip-transformers.ts";
import { type Field, refuseOthers, writeFields } from "./fields.ts";
import type { EncoderFiles, Layout, LayoutOptions, LayoutReader } from "./layout.ts";
import { writeLogitScale } from "./logit-scale.ts";
import { openClipActivation, openClipConfig, openClipConfigName } from "./open-clip-config.ts";
import {
  openClipConvNextFields,
  openClipTextFields,
  openClipVitFields,
  readOpenClipConvNext,
  readOpenClipText,
  readOpenClipVit,
} from "./open-clip-towers.ts";

/** OpenAI's state dict, which is open_clip's; a ViT or a ConvNeXt beside CLIP's text transformer. */
export const openClipLayout: LayoutReader = {
  recognises: (tensors) => [...tensors.keys()].some((name) => name.startsWith("visual.")),
  read: (files, options) => read(files, options, "open-clip"),
};

/** The vision tower's state dict alone, as RobustVLM saves it. */
export const openClipVisualLayout: LayoutReader = {
  recognises: (tensors) => tensors.has("class_embedding") || tensors.has("trunk.stem.0.weight"),
  read: (files, options) => read(files, options, "open-clip-visual"),
};

type OpenClipLayout = Extract<Layout, "open-clip" | "open-clip-visual">;

const prefixes: Readonly<Record<OpenClipLayout, string>> = { "open-clip": "visual.", "open-clip-visual": "" };

/** The weights' file of each layout. */
export const openClipWeights: Readonly<Record<OpenClipLayout, string>> = {
  "open-clip": "open_clip_model.safetensors",
  "open-clip-visual": "open_clip_visual.safetensors",
};

/** Settings that OpenAI's files hold among the weights. */
const ignored = ["input_resolution", "context_length", "vocab_size", "logit_scale"];
const known = "ViT or ConvNeXt of a CLIP, nor CLIP's own text transformer,";

function read(files: EncoderFiles, options: LayoutOptions, layout: OpenClipLayout): Encoder {
  const { tensors } = files;
  const prefix = prefixes[layout];
  if (tensors.has(`${prefix}trunk.stem.0.weight`)) return readConvNext(files, options, layout);
  if (tensors.has(`${prefix}class_embedding`)) return readVit(files, options, layout);
  throw new UsageError(
    `Its vision tower (${some(towerNames(tensors, prefix), 5)}) is neither a ViT of open_clip's own nor a ConvNeXt; ResNets and ` +
      "timm's other models are not supported.",
  );
}

function towerNames(tensors: ReadonlyMap<string, Tensor>, prefix: string): readonly string[] {
  return [...tensors.keys()].filter((name) => name.startsWith(prefix));
}

function readVit(files: EncoderFiles, options: LayoutOptions, layout: OpenClipLayout): Encoder {
  const { tensors, openClipConfig: config } = files;
  const prefix = prefixes[layout];
  const activation = openClipActivation(config, options.activation);
  const vision = readOpenClipVit(tensors, prefix, config?.object("model_cfg").object("vision_cfg"), activation);
  const text = readText(files, options);
  refuseOthers(tensors, [...openClipVitFields(vision.architecture, vision.imageSize, prefix), ...textFields(text)], {
    ignored,
    known,
  });
  const stated = files.stated("open_clip", "transformers");
  return savable(clipEncoder({ vision, ...defined({ text }) }, files, { layout, stated }, options));
}

/** Rejects now, not after training, an encoder that cannot be saved. */
function savable(encoder: Encoder): Encoder {
  openClipPreprocessing(encoder.framing, encoder.normalization);
  return encoder;
}

function readConvNext(files: EncoderFiles, options: LayoutOptions, layout: OpenClipLayout): Encoder {
  const { name, tensors } = files;
  const prefix = prefixes[layout];
  const { architecture, parameters } = readOpenClipConvNext(tensors, prefix);
  const parts = readText(files, options);
  refuseOthers(tensors, [...openClipConvNextFields(architecture, prefix), ...textFields(parts)], { ignored, known });
  const text = textTower(parts, architecture.projection, files);
  const stated = files.stated("open_clip", "transformers");
  const imageSize = options.imageSize ?? convNextImageSize(files, stated);
  const encoder = new ConvNextEncoder({
    name,
    architecture,
    imageSize,
    ...(stated.framing && { framing: stated.framing(imageSize) }),
    normalization: stated.normalization ?? normalizations.clip,
    parameters,
    layout,
    ...defined({ text }),
  });
  return savable(encoder);
}

function convNextImageSize({ openClipConfig: config }: EncoderFiles, { size }: Stated): number {
  const vision = config?.object("model_cfg").object("vision_cfg");
  if (vision?.text("timm_pool") && vision.text("timm_pool") !== "avg") {
    throw new UsageError(`${openClipConfigName}: timm_pool is ${vision.text("timm_pool")}; only avg is supported.`);
  }
  if (size !== undefined) return size;
  if (vision?.has("image_size")) return vision.count("image_size");
  throw new UsageError(
    `A ConvNeXt's tensors fit images of any size: put ${openClipConfigName} beside them, or say --image-size (in code, imageSize).`,
  );
}

function readText(
  { tensors, openClipConfig: config }: EncoderFiles,
  options: LayoutOptions,
): ClipTextParts | undefined {
  if (!tensors.has("token_embedding.weight")) return undefined;
  const activation = openClipActivation(config, options.activation);
  return readOpenClipText(tensors, config?.object("model_cfg").object("text_cfg"), activation);
}

function textFields(text: Pick<ClipTextParts, "architecture"> | undefined): readonly Field[] {
  return text ? openClipTextFields(text.architecture) : [];
}

/** The files of an encoder in open_clip's layout: weights, `open_clip_config.json`, and the tokeniser's. */
export function openClipFiles(encoder: Encoder): ReadonlyMap<string, FileContent> {
  const { text } = encoder;
  const layout = encoder.layout as OpenClipLayout;
  const tower = text instanceof ClipText ? text : undefined;
  const tensors = new Map<string, Tensor>([
    ...writeFields(textFields(tower), tower?.parameters ?? new Map()),
    // The vision tower's own state dict holds nothing else, or PyTorch would refuse it.
    ...(text && layout === "open-clip" ? [writeLogitScale(text.logitScale)] : []),
    ...writeFields(visionFields(encoder, prefixes[layout]), encoder.parameters),
  ]);
  return new Map<string, FileContent>([
    [openClipWeights[layout], safetensorsPieces(tensors, new Map([["format", "pt"]]))],
    jsonFile(openClipConfigName, openClipConfig(encoder)),
    ...(text?.tokenizer.files ?? []),
  ]);
}

function visionFields(encoder: Encoder, prefix: string): readonly Field[] {
  if (encoder instanceof ConvNextEncoder) return openClipConvNextFields(encoder.architecture, prefix);
  const { architecture, imageSize } = encoder as VitEncoder;
  return openClipVitFields(architecture, imageSize, prefix);
}
