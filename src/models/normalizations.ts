import type { Normalization } from "./encoder.ts";

const same = (mean: number, std: number): Normalization => ({ mean: [mean, mean, mean], std: [std, std, std] });

/** How the field's encoders normalise pixels in [0, 1], by name. */
export const normalizations = {
  /** Statistics of ImageNet: torchvision's and timm's models, DINOv2, ConvNeXt, Swin. */
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  /** OpenAI's CLIP and those after it. */
  clip: { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  /** To [-1, 1]: SigLIP, Google's ViT, Keras' MobileNet. */
  half: same(0.5, 0.5),
  /** The file takes pixels in [0, 1], or normalises them itself. */
  none: same(0, 1),
  /** The file takes pixels in [0, 255]. */
  bytes: same(0, 1 / 255),
} as const satisfies Readonly<Record<string, Normalization>>;
