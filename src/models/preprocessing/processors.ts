import type { Filter } from "../../framing.ts";
import type { Normalization } from "../encoder.ts";
import { normalizations } from "../normalizations.ts";

/** Defaults of an image processor of transformers. */
export interface Processor {
  /** Meaning of a `size` that is one number; `neither` where versions of transformers differ or cannot read it. */
  readonly numberMeans: "shorter edge" | "square" | "neither";
  /** `size` where none is given: the shorter edge where a number means that, else both sides. */
  readonly size?: number;
  /** Undefined where versions of transformers differ. */
  readonly resample?: Filter;
  /** Whether the centre is cut out, and how large it is. */
  readonly crops: boolean;
  readonly cropSize?: number;
  /** Undefined: pixels are not normalised. */
  readonly normalization?: Normalization;
  /** Turns RGB into BGR. */
  readonly flipsChannels?: true;
  /** Changes to the size before resizing, or to pixels after the usual steps. */
  readonly special?: "convnext" | "levit" | "poolformer" | "efficientnet";
}

const clip: Processor = {
  numberMeans: "shorter edge",
  size: 224,
  resample: "bicubic",
  crops: true,
  cropSize: 224,
  normalization: normalizations.clip,
};

const stretching: Processor = {
  numberMeans: "square",
  size: 224,
  resample: "bilinear",
  crops: false,
  normalization: normalizations.half,
};

const mobileNet: Processor = { ...clip, size: 256, resample: "bilinear", normalization: normalizations.half };

const { resample: _, ...varying } = stretching;

/**
 * Image processors by their names, without what says of which kind they are (`ImageProcessor`, `FeatureExtractor`): defaults
 * of transformers 5.18, which are those of version 4 too, but where they are left out here.
 */
export const processors: Readonly<Record<string, Processor>> = {
  CLIP: clip,
  ChineseCLIP: clip,
  Bit: clip,
  Levit: { ...clip, normalization: normalizations.imagenet, special: "levit" },
  PoolFormer: { ...clip, normalization: normalizations.imagenet, special: "poolformer" },
  MobileNetV1: mobileNet,
  MobileNetV2: mobileNet,
  MobileViT: { numberMeans: "shorter edge", size: 224, crops: true, cropSize: 256, flipsChannels: true },
  ViT: stretching,
  Blip: { ...stretching, size: 384, resample: "bicubic", normalization: normalizations.clip },
  Siglip: { ...stretching, numberMeans: "neither", resample: "bicubic" },
  DINOv3ViT: { ...stretching, normalization: normalizations.imagenet },
  Segformer: { ...stretching, size: 512, normalization: normalizations.imagenet },
  Beit: { ...stretching, resample: "bicubic", cropSize: 224 },
  OwlViT: { ...stretching, size: 768, resample: "bicubic", cropSize: 768, normalization: normalizations.clip },
  DeiT: { ...stretching, size: 256, resample: "bicubic", crops: true, cropSize: 224 },
  Pvt: { ...varying, normalization: normalizations.imagenet },
  ConvNext: { ...varying, numberMeans: "shorter edge", size: 384, special: "convnext" },
  EfficientNet: { ...varying, size: 346, cropSize: 289, special: "efficientnet" },
};

/** The processor of a model, where a configuration does not name one: by the `model_type` of config.json. */
export const processorOfModel: Readonly<Record<string, string>> = {
  ...named(
    "CLIP",
    "clip",
    "clip_vision_model",
    "altclip",
    "groupvit",
    "metaclip_2",
    "mlcd",
    "aimv2",
    "aimv2_vision_model",
  ),
  ...named("ChineseCLIP", "chinese_clip"),
  ...named("Bit", "bit", "dinov2", "dinov2_with_registers", "focalnet", "hiera"),
  ...named("Levit", "levit"),
  ...named("PoolFormer", "poolformer"),
  ...named("MobileNetV1", "mobilenet_v1"),
  ...named("MobileNetV2", "mobilenet_v2"),
  ...named("MobileViT", "mobilevit", "mobilevitv2"),
  ...named("ViT", "vit", "vit_mae", "vit_msn", "swin", "swinv2", "ijepa", "dinat", "swiftformer"),
  ...named("Blip", "blip", "blip-2"),
  ...named("Siglip", "siglip", "siglip_vision_model"),
  ...named("DINOv3ViT", "dinov3_vit", "dinov3_convnext"),
  ...named("Segformer", "segformer"),
  ...named("Beit", "beit", "data2vec-vision"),
  ...named("OwlViT", "owlvit"),
  ...named("DeiT", "deit"),
  ...named("Pvt", "pvt", "pvt_v2"),
  ...named("ConvNext", "convnext", "convnextv2", "resnet", "regnet", "cvt"),
  ...named("EfficientNet", "efficientnet", "align"),
};

function named(processor: string, ...models: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(models.map((model) => [model, processor]));
}
