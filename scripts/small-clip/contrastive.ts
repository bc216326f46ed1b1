import { gradients } from "../../src/autodiff/index.ts";
import { Graph, type Value } from "../../src/graph/index.ts";
import type { VitEncoder } from "../../src/models/architectures/vit.ts";
import { normalizeRows } from "../../src/models/classifier.ts";
import type { Parameters } from "../../src/models/encoder.ts";
import { type ClipTextArchitecture, embedTokens } from "../../src/models/text/clip-text.ts";
import { gradientName } from "../../src/objectives/index.ts";
import { compile } from "../../src/runtime/index.ts";

export const visionPrefix = "vision.";
export const textPrefix = "text.";

export interface Towers {
  readonly vision: VitEncoder;
  readonly text: ClipTextArchitecture;
  /** Id of the end marker. */
  readonly end: number;
}

/**
 * CLIP's loss (Radford et al. 2021) with its gradients, where several images may share a text: the mean of
 * image-to-text and text-to-image cross-entropy, the latter against all the images that a text describes (Yang et al.
 * 2022, UniCL).
 *
 * Inputs: `pixels` [N, 3, S, S]; `places` [1 + patches], the rows of the position embeddings they stand at; `ids`
 * [T, length]; `describes` [N, T], 1 where the text is the image's; `described` [T, N], each text's row divided by its
 * number of images; `present` [T], 0, or a large negative number for a text that only fills the batch up; `share` [T],
 * 1 / texts present; and all parameters. Outputs: `loss`, `accuracy` (share of images whose text comes first), and
 * a gradient each parameter (`gradientName`).
 */
export function compileContrastive(
  { vision, text, end }: Towers,
  parameters: Parameters,
  options: { readonly batch: number; readonly texts: number; readonly length: number; readonly threads: number },
) {
  const { batch, texts, length } = options;
  const g = new Graph();
  const pixels = g.input("pixels", "float32", [batch, 3, vision.imageSize, vision.imageSize]);
  const places = g.input("places", "int64", [1 + (vision.imageSize / vision.architecture.patch) ** 2]);
  const ids = g.input("ids", "int64", [texts, length]);
  const describes = g.input("describes", "float32", [batch, texts]);
  const described = g.input("described", "float32", [texts, batch]);
  const present = g.input("present", "float32", [texts]);
  const share = g.input("share", "float32", [texts]);
  const weights = new Map([...parameters].map(([name, { shape }]) => [name, g.input(name, "float32", shape)]));

  const visionWeights = (name: string): Value => {
    const weight = weights.get(visionPrefix + name)!;
    return name === "pos_embed" ? g.gather(weight, places, 1) : weight;
  };
  const images = normalizeRows(vision.embed(pixels, visionWeights));
  const captions = normalizeRows(embedTokens(ids, text, end, (name) => weights.get(textPrefix + name)!));
  const scores = g.mul(g.matMul(images, g.swap(captions)), g.exp(weights.get("logit_scale")!));
  const byImage = g.logSoftmax(g.add(scores, present));
  const byText = g.logSoftmax(g.swap(scores));
  const imageLoss = g.mul(g.reduceSum(g.mul(byImage, describes)), 1 / batch);
  const textLoss = g.reduceSum(g.mul(share, g.reduceSum(g.mul(byText, described), { axes: [1] })));
  const loss = g.mul(g.add(imageLoss, textLoss), -0.5);
  const best = g.reduceMax(byImage, { axes: [1], keepDims: true });
  const right = g.reduceMax(g.mul(g.cast(g.greaterOrEqual(byImage, best), "float32"), describes), { axes: [1] });
  const derivatives = gradients(loss, [...weights.values()]);
  const named = [...weights.keys()].map((name, i) => [gradientName(name), derivatives[i]!] as const);
  return compile({ loss, accuracy: g.reduceMean(right), ...Object.fromEntries(named) }, { threads: options.threads });
}
