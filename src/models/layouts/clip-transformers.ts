import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { Activation } from "../architectures/transformer.ts";
import { type VitArchitecture, vitShapes } from "../architectures/vit.ts";
import type { Parameters } from "../encoder.ts";
import { type ClipTextArchitecture, clipTextShapes } from "../text/clip-text.ts";
import { blockFields } from "./blocks.ts";
import type { Config } from "./config.ts";
import { type Field, readFields, refuseOthers, weightAndBias, writeFields } from "./fields.ts";
import { readLogitScale } from "./logit-scale.ts";

/*
 * Hugging Face's `CLIPModel`: config.json with `vision_config` and `text_config`, and tensors named as in transformers'
 * modeling_clip.py. Defaults are those of transformers' CLIPVisionConfig and CLIPTextConfig, which older files leave out.
 */

/** The parts of a CLIP, the same for every layout. */
export interface ClipParts {
  readonly vision: {
    readonly architecture: VitArchitecture;
    readonly imageSize: number;
    readonly parameters: Parameters;
  };
  readonly text?: ClipTextParts;
}

export interface ClipTextParts {
  readonly architecture: ClipTextArchitecture;
  readonly parameters: Parameters;
  /** Id of the end marker. */
  readonly end: number;
  readonly logitScale: number;
}

type Tensors = ReadonlyMap<string, Tensor>;

export function isTransformersClip(tensors: Tensors): boolean {
  return tensors.has("vision_model.embeddings.patch_embedding.weight");
}

/**
 * @param config the content of config.json, of a `CLIPModel`, a `CLIPVisionModelWithProjection` or a `CLIPVisionModel`,
 *   whose embedding is not projected
 * @throws UsageError naming the field or tensor that does not fit
 */
export function readTransformersClip(tensors: Tensors, config: Config): ClipParts {
  const whole = config.has("vision_config") || config.text("model_type") === "clip";
  const visionConfig = whole ? config.object("vision_config") : config;
  const embeddingSize = (whole ? config : visionConfig).count("projection_dim", 512);
  const width = visionConfig.count("hidden_size", 768);
  const hasText = tensors.has("text_model.embeddings.token_embedding.weight");
  const isProjected = hasText || tensors.has("visual_projection.weight");
  const architecture: VitArchitecture = {
    patch: visionConfig.count("patch_size", 32),
    width,
    depth: visionConfig.count("num_hidden_layers", 12),
    heads: visionConfig.count("num_attention_heads", 12),
    hidden: visionConfig.count("intermediate_size", 3072),
    activation: activationOf(visionConfig),
    normEpsilon: visionConfig.number("layer_norm_eps", 1e-5),
    patchBias: false,
    preNorm: true,
    ...(isProjected && { projection: embeddingSize }),
  };
  const imageSize = visionConfig.count("image_size", 224);
  const shapes = vitShapes(architecture, imageSize);
  const fields = visionFields(architecture, imageSize);
  const parameters = readFields(fields, tensors, shapes);
  const text = hasText ? readText(tensors, config.object("text_config"), embeddingSize) : undefined;
  refuseUnread(tensors, [...fields, ...(text ? textFields(text.architecture) : [])], hasText);
  return { vision: { architecture, imageSize, parameters }, ...defined({ text }) };
}

/** Rejects unread tensors (adapters, heads, more layers), which would silently change the encoder. */
function refuseUnread(tensors: Tensors, fields: readonly Field[], hasText: boolean): void {
  const ofAnotherText = (name: string): boolean => !hasText && /^text_(model|projection)\./.test(name);
  const mine = new Map([...tensors].filter(([name]) => !ofAnotherText(name)));
  const ignored = ["vision_model.embeddings.position_ids", "text_model.embeddings.position_ids", "logit_scale"];
  refuseOthers(mine, fields, { ignored, known: "CLIP" });
}

function readText(tensors: Tensors, config: Config, embeddingSize: number): ClipTextParts {
  const architecture: ClipTextArchitecture = {
    vocabularySize: config.count("vocab_size", 49408),
    contextLength: config.count("max_position_embeddings", 77),
    width: config.count("hidden_size", 512),
    depth: config.count("num_hidden_layers", 12),
    heads: config.count("num_attention_heads", 8),
    hidden: config.count("intermediate_size", 2048),
    activation: activationOf(config),
    normEpsilon: config.number("layer_norm_eps", 1e-5),
    layerScale: false,
    embeddingSize,
  };
  const parameters = readFields(textFields(architecture), tensors, clipTextShapes(architecture));
  const end = config.count("eos_token_id", architecture.vocabularySize - 1);
  return {
    architecture,
    parameters,
    // The configs of OpenAI's own models say 2, a mistake that transformers works around in the same way.
    end: end === 2 ? architecture.vocabularySize - 1 : end,
    logitScale: readLogitScale(tensors),
  };
}

function activationOf(config: Config): Activation {
  const name = config.text("hidden_act") ?? "quick_gelu";
  if (name === "quick_gelu") return "quickGelu";
  if (name === "gelu") return "gelu";
  throw new UsageError(`config.json: hidden_act is ${name}; quick_gelu and gelu are known.`);
}

/** `CLIPModel`'s tensors of both towers. */
export function writeTransformersClip({ vision, text }: ClipParts): ReadonlyMap<string, Tensor> {
  return new Map<string, Tensor>([
    ...(text ? writeFields(textFields(text.architecture), text.parameters) : []),
    ...writeFields(visionFields(vision.architecture, vision.imageSize), vision.parameters),
  ]);
}

/** `config.json` of a `CLIPModel`; without a text tower of a `CLIPVisionModelWithProjection`, or a `CLIPVisionModel`. */
export function transformersClipConfig({ vision, text }: ClipParts): object {
  const { architecture, imageSize } = vision;
  const { hidden = 4 * architecture.width, normEpsilon = 1e-6, projection } = architecture;
  const visionConfig = {
    model_type: "clip_vision_model",
    hidden_size: architecture.width,
    intermediate_size: hidden,
    num_hidden_layers: architecture.depth,
    num_attention_heads: architecture.heads,
    image_size: imageSize,
    patch_size: architecture.patch,
    num_channels: 3,
    hidden_act: nameOf(architecture.activation),
    layer_norm_eps: normEpsilon,
    ...defined({ projection_dim: projection }),
  };
  const visionModel = projection === undefined ? "CLIPVisionModel" : "CLIPVisionModelWithProjection";
  if (!text) return { architectures: [visionModel], torch_dtype: "float32", ...visionConfig };
  return {
    architectures: ["CLIPModel"],
    model_type: "clip",
    torch_dtype: "float32",
    projection_dim: projection,
    logit_scale_init_value: Math.log(text.logitScale),
    vision_config: visionConfig,
    text_config: {
      model_type: "clip_text_model",
      hidden_size: text.architecture.width,
      intermediate_size: text.architecture.hidden,
      num_hidden_layers: text.architecture.depth,
      num_attention_heads: text.architecture.heads,
      vocab_size: text.architecture.vocabularySize,
      max_position_embeddings: text.architecture.contextLength,
      hidden_act: nameOf(text.architecture.activation),
      layer_norm_eps: text.architecture.normEpsilon,
      projection_dim: projection,
      bos_token_id: text.end - 1,
      eos_token_id: text.end,
      pad_token_id: text.end,
    },
  };
}

function nameOf(activation: Activation = "gelu"): string {
  return activation === "quickGelu" ? "quick_gelu" : "gelu";
}

const blockNames = {
  norm1: "layer_norm1",
  norm2: "layer_norm2",
  attention: { query: "self_attn.q_proj.", key: "self_attn.k_proj.", value: "self_attn.v_proj." },
  projection: "self_attn.out_proj",
  fc1: "mlp.fc1",
  fc2: "mlp.fc2",
} as const;

function visionFields({ width, patch, depth, projection }: VitArchitecture, imageSize: number): readonly Field[] {
  const tower = "vision_model.";
  return [
    { kind: "same", ours: "cls_token", theirs: `${tower}embeddings.class_embedding`, shape: [width] },
    {
      kind: "same",
      ours: "pos_embed",
      theirs: `${tower}embeddings.position_embedding.weight`,
      shape: [1 + (imageSize / patch) ** 2, width],
    },
    { kind: "same", ours: "patch_embed.proj.weight", theirs: `${tower}embeddings.patch_embedding.weight` },
    // "layrnorm" is the name in transformers.
    ...weightAndBias("norm_pre", `${tower}pre_layrnorm`),
    ...blockFields(depth, (i) => `${tower}encoder.layers.${i}.`, blockNames),
    ...weightAndBias("norm", `${tower}post_layernorm`),
    ...(projection === undefined
      ? []
      : ([{ kind: "same", ours: "proj.weight", theirs: "visual_projection.weight" }] as const)),
  ];
}

function textFields({ depth }: ClipTextArchitecture): readonly Field[] {
  const tower = "text_model.";
  return [
    { kind: "same", ours: "token_embedding.weight", theirs: `${tower}embeddings.token_embedding.weight` },
    { kind: "same", ours: "pos_embed", theirs: `${tower}embeddings.position_embedding.weight` },
    ...blockFields(depth, (i) => `${tower}encoder.layers.${i}.`, blockNames),
    ...weightAndBias("norm", `${tower}final_layer_norm`),
    { kind: "same", ours: "proj.weight", theirs: "text_projection.weight" },
  ];
}
