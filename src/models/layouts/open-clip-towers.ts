import { UsageError } from "../../errors.ts";
import type { Tensor } from "../../tensor/index.ts";
import { type ConvNextArchitecture, convNextShapes } from "../architectures/convnext.ts";
import type { Activation } from "../architectures/transformer.ts";
import { type VitArchitecture, vitShapes } from "../architectures/vit.ts";
import type { Parameters } from "../encoder.ts";
import type { ClipTextArchitecture } from "../text/clip-text.ts";
import { clipTextShapes } from "../text/clip-text.ts";
import { blockFields } from "./blocks.ts";
import type { ClipParts, ClipTextParts } from "./clip-transformers.ts";
import type { Config } from "./config.ts";
import { countAfter, type Field, floatOfRank, readFields, weightAndBias } from "./fields.ts";
import { readLogitScale } from "./logit-scale.ts";
import { checkedEpsilon } from "./open-clip-config.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** A tower's part of open_clip_config.json; undefined where there is no such file. */
type TowerConfig = Config | undefined;

const epsilonOf = (config: TowerConfig, pooling: string): number => (config ? checkedEpsilon(config, pooling) : 1e-5);

/** Width of a head where no config states it: 64, except in open_clip's largest towers, which are known by their widths. */
const largeHeads: Readonly<Record<number, number>> = { 1280: 80, 1408: 88, 1664: 104 };

/** @param prefix in front of the vision tower's names: `visual.` or nothing */
export function readOpenClipVit(
  tensors: Tensors,
  prefix: string,
  config: TowerConfig,
  activation: Activation,
): ClipParts["vision"] {
  const [width, , patch] = floatOfRank(tensors, `${prefix}conv1.weight`, 4).shape as [number, number, number];
  const [positions] = floatOfRank(tensors, `${prefix}positional_embedding`, 2).shape as [number];
  const headWidth = config ? config.count("head_width", 64) : (largeHeads[width] ?? 64);
  const blocks = `${prefix}transformer.resblocks.`;
  // A tower beside a text tower is projected, or it has no embedding to compare.
  const isProjected = tensors.has(`${prefix}proj`) || tensors.has("text_projection");
  const architecture: VitArchitecture = {
    patch,
    width,
    depth: countAfter(tensors, blocks),
    heads: headCount(width, headWidth, "vision_cfg.head_width"),
    hidden: hiddenOf(tensors, blocks),
    activation,
    normEpsilon: epsilonOf(config, "tok"),
    patchBias: false,
    preNorm: true,
    ...(isProjected && { projection: floatOfRank(tensors, `${prefix}proj`, 2).shape[1]! }),
  };
  const imageSize = Math.round(Math.sqrt(positions - 1)) * patch;
  const fields = openClipVitFields(architecture, imageSize, prefix);
  return { architecture, imageSize, parameters: readFields(fields, tensors, vitShapes(architecture, imageSize)) };
}

export function readOpenClipText(tensors: Tensors, config: TowerConfig, activation: Activation): ClipTextParts {
  const [vocabularySize, width] = floatOfRank(tensors, "token_embedding.weight", 2).shape as [number, number];
  const blocks = "transformer.resblocks.";
  const architecture: ClipTextArchitecture = {
    vocabularySize,
    contextLength: floatOfRank(tensors, "positional_embedding", 2).shape[0]!,
    width,
    depth: countAfter(tensors, blocks),
    heads: config?.has("heads") ? config.count("heads") : headCount(width, 64, "text_cfg.heads"),
    hidden: hiddenOf(tensors, blocks),
    activation,
    normEpsilon: epsilonOf(config, "argmax"),
    layerScale: false,
    embeddingSize: floatOfRank(tensors, "text_projection", 2).shape[1]!,
  };
  return {
    architecture,
    parameters: readFields(openClipTextFields(architecture), tensors, clipTextShapes(architecture)),
    // A text is read off at its largest id.
    end: vocabularySize - 1,
    logitScale: readLogitScale(tensors),
  };
}

export function readOpenClipConvNext(
  tensors: Tensors,
  prefix: string,
): { readonly architecture: ConvNextArchitecture; readonly parameters: Parameters } {
  const trunk = `${prefix}trunk.`;
  const stages = Array.from({ length: countAfter(tensors, `${trunk}stages.`) }, (_, i) => `${trunk}stages.${i}.`);
  const widths = stages.map((stage, i) => {
    const into = i === 0 ? `${trunk}stem.0.weight` : `${stage}downsample.1.weight`;
    return floatOfRank(tensors, into, 4).shape[0]!;
  });
  const architecture: ConvNextArchitecture = {
    depths: stages.map((stage) => countAfter(tensors, `${stage}blocks.`)),
    widths,
    projection: floatOfRank(tensors, `${prefix}head.proj.weight`, 2).shape[0]!,
    // timm's convnext_xxlarge alone begins with 384 channels, and alone has 1e-5.
    normEpsilon: widths[0] === 384 ? 1e-5 : 1e-6,
  };
  const fields = openClipConvNextFields(architecture, prefix);
  return { architecture, parameters: readFields(fields, tensors, convNextShapes(architecture)) };
}

function headCount(width: number, headWidth: number, setting: string): number {
  if (width % headWidth === 0) return width / headWidth;
  throw new UsageError(
    `A tower of width ${width} does not divide into heads of ${headWidth}: state ${setting} in open_clip_config.json.`,
  );
}

function hiddenOf(tensors: Tensors, blocks: string): number {
  return floatOfRank(tensors, `${blocks}0.mlp.c_fc.weight`, 2).shape[0]!;
}

const blockNames = {
  norm1: "ln_1",
  norm2: "ln_2",
  attention: { fused: "attn.in_proj_" },
  projection: "attn.out_proj",
  fc1: "mlp.c_fc",
  fc2: "mlp.c_proj",
} as const;

export function openClipVitFields(
  { width, patch, depth, projection }: VitArchitecture,
  imageSize: number,
  prefix: string,
): readonly Field[] {
  const rows = 1 + (imageSize / patch) ** 2;
  return [
    { kind: "same", ours: "cls_token", theirs: `${prefix}class_embedding`, shape: [width] },
    { kind: "same", ours: "pos_embed", theirs: `${prefix}positional_embedding`, shape: [rows, width] },
    ...(projection === undefined
      ? []
      : ([{ kind: "transposed", ours: "proj.weight", theirs: `${prefix}proj` }] as const)),
    { kind: "same", ours: "patch_embed.proj.weight", theirs: `${prefix}conv1.weight` },
    ...weightAndBias("norm_pre", `${prefix}ln_pre`),
    ...blockFields(depth, (i) => `${prefix}transformer.resblocks.${i}.`, blockNames),
    ...weightAndBias("norm", `${prefix}ln_post`),
  ];
}

export function openClipTextFields({ depth }: ClipTextArchitecture): readonly Field[] {
  return [
    { kind: "same", ours: "pos_embed", theirs: "positional_embedding" },
    { kind: "transposed", ours: "proj.weight", theirs: "text_projection" },
    ...blockFields(depth, (i) => `transformer.resblocks.${i}.`, blockNames),
    { kind: "same", ours: "token_embedding.weight", theirs: "token_embedding.weight" },
    ...weightAndBias("norm", "ln_final"),
  ];
}

export function openClipConvNextFields(architecture: ConvNextArchitecture, prefix: string): readonly Field[] {
  return [...convNextShapes(architecture).keys()].map((ours) => ({
    kind: "same",
    ours,
    theirs: ours === "proj.weight" ? `${prefix}head.proj.weight` : `${prefix}trunk.${ours}`,
  }));
}
