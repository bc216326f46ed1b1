import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { type FileContent, jsonFile } from "../../files.ts";
import { safetensorsPieces } from "../../safetensors.ts";
import type { Tensor } from "../../tensor/index.ts";
import { type VitArchitecture, VitEncoder, vitShapes } from "../architectures/vit.ts";
import type { LinearClassifier } from "../classifier.ts";
import { normalizations } from "../normalizations.ts";
import { blockFields } from "./blocks.ts";
import { type Config, mlpRatio } from "./config.ts";
import {
  countAfter,
  type Field,
  float32,
  floatOfRank,
  readFields,
  refuseOthers,
  weightAndBias,
  writeFields,
} from "./fields.ts";
import type { EncoderFiles, LayoutOptions, LayoutReader } from "./layout.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** Prefix of names in files with a classifier. */
const modelPrefix = "dinov2.";
/** The mask token. Only DINOv2's own training uses it. */
const maskToken = "embeddings.mask_token";

/** transformers' `Dinov2Model` and `Dinov2ForImageClassification`. */
export const transformersDinov2Layout: LayoutReader = {
  recognises: (tensors) => ["", modelPrefix].some((prefix) => tensors.has(firstScale(prefix))),
  read: readDinov2,
};

const firstScale = (prefix: string): string => `${prefix}encoder.layer.0.layer_scale1.lambda1`;

function readDinov2({ name, tensors, config, stated: statedBy }: EncoderFiles, options: LayoutOptions): VitEncoder {
  const prefix = tensors.has(firstScale(modelPrefix)) ? modelPrefix : "";
  refuseVariants(tensors, prefix, config);
  const embeddings = `${prefix}embeddings.`;
  const [width, , patch] = floatOfRank(tensors, `${embeddings}patch_embeddings.projection.weight`, 4).shape as [
    number,
    number,
    number,
  ];
  const [, positions] = floatOfRank(tensors, `${embeddings}position_embeddings`, 3).shape as [number, number];
  const head = readHead(tensors, width);
  const architecture: VitArchitecture = {
    patch,
    width,
    depth: countAfter(tensors, `${prefix}encoder.layer.`),
    heads: config.count("num_attention_heads", width / 64),
    hidden: floatOfRank(tensors, `${prefix}encoder.layer.0.mlp.fc1.weight`, 2).shape[0]!,
    normEpsilon: config.number("layer_norm_eps", 1e-6),
    layerScale: true,
    headReads: head && head.weight.shape[1] === 2 * width ? "class and patches" : "class",
  };
  const fields = dinov2Fields(architecture, prefix);
  refuseOthers(tensors, fields, {
    ignored: [`${prefix}${maskToken}`, "classifier.weight", "classifier.bias"],
    known: "DINOv2",
  });
  const grid = Math.round(Math.sqrt(positions - 1)) * patch;
  const stated = statedBy("transformers");
  // Its images are smaller than those that the positions were last trained with.
  const imageSize = options.imageSize ?? stated.size ?? config.count("image_size", grid);
  return new VitEncoder({
    name,
    architecture,
    imageSize,
    ...(stated.framing && { framing: stated.framing(imageSize) }),
    normalization: stated.normalization ?? normalizations.imagenet,
    parameters: readFields(fields, tensors, vitShapes(architecture, grid)),
    layout: "transformers-dinov2",
    ...defined({ head }),
  });
}

function refuseVariants(tensors: Tensors, prefix: string, config: Config): void {
  if (tensors.has(`${prefix}embeddings.register_tokens`))
    throw new UsageError("It is a DINOv2 with registers, which are not supported; take the variant without.");
  if (config.flag("use_swiglu_ffn") || tensors.has(`${prefix}encoder.layer.0.mlp.weights_in.weight`))
    throw new UsageError(
      "It is a DINOv2 with SwiGLU layers (giant), which are not supported; take small, base or large.",
    );
  const activation = config.text("hidden_act") ?? "gelu";
  if (activation !== "gelu") throw new UsageError(`config.json: hidden_act is ${activation}; DINOv2 has gelu.`);
}

/** The linear classifier, over the class token or over it and the mean of the patches. */
function readHead(tensors: Tensors, width: number): LinearClassifier | undefined {
  if (!tensors.has("classifier.weight")) return undefined;
  const weight = floatOfRank(tensors, "classifier.weight", 2);
  const [classes, features] = weight.shape as [number, number];
  if (features !== width && features !== 2 * width) {
    throw new UsageError(
      `classifier.weight reads ${features} features; ${width} (class token) or ${2 * width} (and mean patch) are known.`,
    );
  }
  return { kind: "linear", weight, bias: float32(tensors, "classifier.bias", [classes]) };
}

/**
 * The files of a `Dinov2Model`, or of a `Dinov2ForImageClassification` where there is a head, without those of its
 * images and of ONNX. The mask token, which no embedding depends on, is gone; `use_mask_token` says so.
 */
export function dinov2Files(encoder: VitEncoder): ReadonlyMap<string, FileContent> {
  const { architecture, parameters, head } = encoder;
  const tensors = new Map<string, Tensor>(writeFields(dinov2Fields(architecture, head ? modelPrefix : ""), parameters));
  if (head) tensors.set("classifier.weight", head.weight).set("classifier.bias", head.bias);
  return new Map<string, FileContent>([
    ["model.safetensors", safetensorsPieces(tensors, new Map([["format", "pt"]]))],
    jsonFile("config.json", dinov2Config(encoder)),
  ]);
}

function dinov2Config({ architecture, imageSize, head }: VitEncoder): object {
  const { width, hidden, depth, heads, patch, normEpsilon } = architecture;
  return {
    architectures: [head ? "Dinov2ForImageClassification" : "Dinov2Model"],
    model_type: "dinov2",
    torch_dtype: "float32",
    hidden_size: width,
    num_hidden_layers: depth,
    num_attention_heads: heads,
    mlp_ratio: mlpRatio(width, hidden),
    hidden_act: "gelu",
    layer_norm_eps: normEpsilon,
    image_size: imageSize,
    patch_size: patch,
    num_channels: 3,
    qkv_bias: true,
    use_swiglu_ffn: false,
    use_mask_token: false,
    ...(head && labels(head.weight.shape[0]!)),
  };
}

/** transformers counts the classes by their labels. */
function labels(classes: number): object {
  const names = Array.from({ length: classes }, (_, i) => `LABEL_${i}`);
  return {
    id2label: Object.fromEntries(names.map((label, i) => [i, label])),
    label2id: Object.fromEntries(names.map((label, i) => [label, i])),
  };
}

const blockNames = {
  norm1: "norm1",
  norm2: "norm2",
  attention: {
    query: "attention.attention.query.",
    key: "attention.attention.key.",
    value: "attention.attention.value.",
  },
  projection: "attention.output.dense",
  fc1: "mlp.fc1",
  fc2: "mlp.fc2",
  scales: ["layer_scale1.lambda1", "layer_scale2.lambda1"],
} as const;

function dinov2Fields({ depth }: VitArchitecture, prefix: string): readonly Field[] {
  const same = (ours: string, theirs: string): Field => ({ kind: "same", ours, theirs: prefix + theirs });
  const pair = (ours: string, theirs: string): readonly Field[] => weightAndBias(ours, prefix + theirs);
  return [
    same("cls_token", "embeddings.cls_token"),
    same("pos_embed", "embeddings.position_embeddings"),
    ...pair("patch_embed.proj", "embeddings.patch_embeddings.projection"),
    ...blockFields(depth, (i) => `${prefix}encoder.layer.${i}.`, blockNames),
    ...pair("norm", "layernorm"),
  ];
}
