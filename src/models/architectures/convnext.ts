import { type Framing, framingAt, usualFraming } from "../../framing.ts";
import type { Value } from "../../graph/index.ts";
import { product } from "../../graph/index.ts";
import { type Encoder, type Normalization, normalize, type Parameters, type Weights } from "../encoder.ts";
import type { Layout } from "../layouts/layout.ts";
import { checkedParameters, checkImageSize } from "../parameters.ts";
import type { TextTower } from "../text/text-tower.ts";
import { layerNorm, linear } from "./transformer.ts";

/** A ConvNeXt (Liu et al. 2022) over patches of 4 pixels, its features averaged, normalised and projected (open_clip). */
export interface ConvNextArchitecture {
  /** Blocks of each stage. */
  readonly depths: readonly number[];
  /** Channels of each stage. */
  readonly widths: readonly number[];
  /** Size of the embedding. */
  readonly projection: number;
  /** Added to the variance in every layer norm. */
  readonly normEpsilon: number;
}

/** Side of the patches that the stem turns into positions. */
const stemPatch = 4;
/** Side of the depthwise convolutions' kernels. */
const kernel = 7;

function strideOf({ widths }: ConvNextArchitecture): number {
  return stemPatch * 2 ** (widths.length - 1);
}

/** Every tensor of the architecture with its shape, in timm's names and order; `proj.weight` is the projection. */
export function convNextShapes(architecture: ConvNextArchitecture): ReadonlyMap<string, readonly number[]> {
  const { depths, widths, projection } = architecture;
  type Shapes = readonly (readonly [string, readonly number[]])[];
  const pair = (name: string, weight: readonly number[]): Shapes => [
    [`${name}.weight`, weight],
    [`${name}.bias`, [weight[0]!]],
  ];
  const block = (name: string, width: number): Shapes => [
    [`${name}.gamma`, [width]],
    ...pair(`${name}.conv_dw`, [width, 1, kernel, kernel]),
    ...pair(`${name}.norm`, [width]),
    ...pair(`${name}.mlp.fc1`, [4 * width, width]),
    ...pair(`${name}.mlp.fc2`, [width, 4 * width]),
  ];
  const stages = widths.flatMap((width, stage): Shapes => {
    const name = `stages.${stage}`;
    const before = widths[stage - 1];
    const downsample =
      before === undefined
        ? []
        : [...pair(`${name}.downsample.0`, [before]), ...pair(`${name}.downsample.1`, [width, before, 2, 2])];
    const blocks = Array.from({ length: depths[stage]! }, (_, i) => block(`${name}.blocks.${i}`, width)).flat();
    return [...downsample, ...blocks];
  });
  return new Map<string, readonly number[]>([
    ...pair("stem.0", [widths[0]!, 3, stemPatch, stemPatch]),
    ...pair("stem.1", [widths[0]!]),
    ...stages,
    ...pair("head.norm", [widths.at(-1)!]),
    ["proj.weight", [projection, widths.at(-1)!]],
  ]);
}

/** A ConvNeXt, as the vision tower of a CLIP. */
export class ConvNextEncoder implements Encoder {
  readonly name: string;
  readonly architecture: ConvNextArchitecture;
  readonly imageSize: number;
  readonly framing: Framing;
  readonly normalization: Normalization;
  readonly parameters: Parameters;
  readonly layout: Layout;
  readonly text?: TextTower;

  constructor(options: {
    readonly name: string;
    readonly architecture: ConvNextArchitecture;
    /** Pixels; divisible by the last stage's stride, 32 with four stages. */
    readonly imageSize: number;
    /** At any size: it is brought to `imageSize`. Default `usualFraming`. */
    readonly framing?: Framing;
    readonly normalization: Normalization;
    readonly parameters: Parameters;
    readonly layout: Layout;
    readonly text?: TextTower;
  }) {
    const { name, architecture, imageSize, text } = options;
    checkImageSize(name, imageSize, strideOf(architecture), "stride");
    this.name = name;
    this.architecture = architecture;
    this.imageSize = imageSize;
    this.framing = framingAt(options.framing ?? usualFraming(imageSize), imageSize);
    this.normalization = options.normalization;
    this.parameters = checkedParameters(name, convNextShapes(architecture), options.parameters);
    this.layout = options.layout;
    if (text) this.text = text;
  }

  get embeddingSize(): number {
    return this.architecture.projection;
  }

  /** Image sizes are multiples of it. */
  get stride(): number {
    return strideOf(this.architecture);
  }

  withParameters(parameters: Parameters): ConvNextEncoder {
    return new ConvNextEncoder({ ...this, parameters });
  }

  embed(pixels: Value, weights: Weights): Value {
    return this.embedNormalized(normalize(pixels, this.normalization), weights);
  }

  headFeatures(pixels: Value, weights: Weights): Value {
    return this.embed(pixels, weights);
  }

  embedNormalized(normalized: Value, weights: Weights): Value {
    const { graph: g } = normalized;
    const { depths, widths, normEpsilon } = this.architecture;
    let side = this.imageSize / stemPatch;
    const pixels = g.transpose(normalized, [0, 2, 3, 1]);
    const stem = patches(pixels, { side, channels: 3, patch: stemPatch }, weights, "stem.0");
    let x = layerNorm(stem, weights, "stem.1", normEpsilon);
    for (const [stage, width] of widths.entries()) {
      const name = `stages.${stage}`;
      if (stage > 0) {
        side /= 2;
        const normed = layerNorm(x, weights, `${name}.downsample.0`, normEpsilon);
        x = patches(normed, { side, channels: widths[stage - 1]!, patch: 2 }, weights, `${name}.downsample.1`);
      }
      for (let i = 0; i < depths[stage]!; i++) {
        x = block(x, { side, width }, normEpsilon, (part) => weights(`${name}.blocks.${i}.${part}`));
      }
    }
    const mean = g.reduceMean(g.reshape(x, [-1, side * side, widths.at(-1)!]), { axes: [1] });
    const features = layerNorm(mean, weights, "head.norm", normEpsilon);
    return g.gemm(features, weights("proj.weight"), undefined, { transB: true });
  }
}

/*
 * Between the layers, positions lie under each other, channels side by side: [N side side, channels]. Layer norms and
 * linear layers read them as they are; only the depthwise convolutions need channels first.
 */

/**
 * A convolution whose stride is its kernel, as one large product over patches.
 *
 * @param x [N, side * patch, side * patch, channels], or the same elements as rows
 * @returns [N side side, outputs]
 */
function patches(
  x: Value,
  { side, channels, patch }: { readonly side: number; readonly channels: number; readonly patch: number },
  weights: Weights,
  name: string,
): Value {
  const { graph: g } = x;
  const grid = g.reshape(x, [-1, side, patch, side, patch, channels]);
  const rows = g.reshape(g.transpose(grid, [0, 1, 3, 5, 2, 4]), [-1, channels * patch * patch]);
  const filters = weights(`${name}.weight`);
  const matrix = g.reshape(filters, [filters.shape[0]!, product(filters.shape.slice(1))]);
  return g.gemm(rows, matrix, weights(`${name}.bias`), { transB: true });
}

function block(
  x: Value,
  { side, width }: { readonly side: number; readonly width: number },
  normEpsilon: number,
  weights: Weights,
): Value {
  const { graph: g } = x;
  const channelsFirst = g.transpose(g.reshape(x, [-1, side, side, width]), [0, 3, 1, 2]);
  const pad = (kernel - 1) / 2;
  const mixed = g.conv(channelsFirst, weights("conv_dw.weight"), weights("conv_dw.bias"), {
    group: width,
    pads: [pad, pad, pad, pad],
  });
  const rows = g.reshape(g.transpose(mixed, [0, 2, 3, 1]), [-1, width]);
  const hidden = g.gelu(linear(layerNorm(rows, weights, "norm", normEpsilon), weights, "mlp.fc1"));
  return g.add(x, g.mul(linear(hidden, weights, "mlp.fc2"), weights("gamma")));
}
