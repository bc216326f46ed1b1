import { UsageError } from "../../errors.ts";
import { type Framing, framingAt, usualFraming } from "../../framing.ts";
import type { Value } from "../../graph/index.ts";
import { optimizedModel } from "../../optimize/index.ts";
import { allocate, elementCount, type Tensor } from "../../tensor/index.ts";
import type { LinearClassifier } from "../classifier.ts";
import { type Encoder, type Normalization, normalize, type Parameters, type Weights } from "../encoder.ts";
import type { Layout } from "../layouts/layout.ts";
import { checkedParameters, checkImageSize } from "../parameters.ts";
import type { TextTower } from "../text/text-tower.ts";
import { resizePositions } from "./positions.ts";
import { type Activation, blockShapes, layerNorm, transformer } from "./transformer.ts";

/** A vision transformer (Dosovitskiy et al. 2021), pre-norm, with a class token: ViT and DeiT, CLIP's, DINOv2. */
export interface VitArchitecture {
  readonly patch: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** Width of the hidden layer of each block's perceptron. Default 4 width. */
  readonly hidden?: number;
  /** Default `gelu`. */
  readonly activation?: Activation;
  /** Added to the variance in every layer norm. Default 1e-6. */
  readonly normEpsilon?: number;
  /** Each residual branch is scaled by a learned vector (DINOv2). Default false. */
  readonly layerScale?: boolean;
  /** The patch projection has a bias; CLIP's has none. Default true. */
  readonly patchBias?: boolean;
  /** A layer norm before the first block (CLIP). Default false. */
  readonly preNorm?: boolean;
  /** Size of the embedding, where a matrix projects the class token to it (CLIP). Default: the class token itself. */
  readonly projection?: number;
  /** Features that a fixed head reads: the class token, or that concatenated with the mean of the patches (DINOv2). */
  readonly headReads?: "class" | "class and patches";
}

type CompleteVit = Required<Omit<VitArchitecture, "projection">> & Pick<VitArchitecture, "projection">;

function complete(architecture: VitArchitecture): CompleteVit {
  return {
    hidden: 4 * architecture.width,
    activation: "gelu",
    normEpsilon: 1e-6,
    layerScale: false,
    patchBias: true,
    preNorm: false,
    headReads: "class",
    ...architecture,
  };
}

/** Every tensor of the architecture with its shape, in timm's names and order; `proj.weight` is CLIP's projection. */
export function vitShapes(architecture: VitArchitecture, imageSize: number): ReadonlyMap<string, readonly number[]> {
  const vit = complete(architecture);
  const { patch, width, patchBias, preNorm, projection } = vit;
  const tokens = 1 + (imageSize / patch) ** 2;
  const norm = (name: string): readonly (readonly [string, readonly number[]])[] => [
    [`${name}.weight`, [width]],
    [`${name}.bias`, [width]],
  ];
  return new Map<string, readonly number[]>([
    ["cls_token", [1, 1, width]],
    ["pos_embed", [1, tokens, width]],
    ["patch_embed.proj.weight", [width, 3, patch, patch]],
    ...(patchBias ? [["patch_embed.proj.bias", [width]] as const] : []),
    ...(preNorm ? norm("norm_pre") : []),
    ...blockShapes(vit),
    ...norm("norm"),
    ...(projection === undefined ? [] : [["proj.weight", [projection, width]] as const]),
  ]);
}

/** A vision transformer whose embedding is the class token after the last norm, projected where CLIP projects it. */
export class VitEncoder implements Encoder {
  readonly name: string;
  readonly architecture: CompleteVit;
  readonly imageSize: number;
  readonly framing: Framing;
  readonly normalization: Normalization;
  readonly parameters: Parameters;
  readonly layout: Layout;
  readonly head?: LinearClassifier;
  readonly text?: TextTower;

  constructor(options: {
    readonly name: string;
    readonly architecture: VitArchitecture;
    /** Pixels; divisible by the patch size. Position embeddings are interpolated to it when they have another size. */
    readonly imageSize: number;
    /** At any size: it is brought to `imageSize`. Default `usualFraming`. */
    readonly framing?: Framing;
    readonly normalization: Normalization;
    readonly parameters: Parameters;
    /** How `saveEncoder` writes it. Default `timm`. */
    readonly layout?: Layout;
    readonly head?: LinearClassifier;
    readonly text?: TextTower;
  }) {
    const { imageSize, parameters, head, text } = options;
    this.name = options.name;
    this.architecture = complete(options.architecture);
    this.imageSize = imageSize;
    this.framing = framingAt(options.framing ?? usualFraming(imageSize), imageSize);
    this.normalization = options.normalization;
    this.parameters = fittedParameters(options.name, this.architecture, imageSize, parameters);
    this.layout = options.layout ?? "timm";
    if (head) this.head = head;
    if (text) this.text = text;
  }

  get embeddingSize(): number {
    return this.architecture.projection ?? this.architecture.width;
  }

  withParameters(parameters: Parameters): VitEncoder {
    return new VitEncoder({ ...this, parameters });
  }

  embed(pixels: Value, weights: Weights): Value {
    return optimizedModel(this.embedNormalized(normalize(pixels, this.normalization), weights));
  }

  embedNormalized(normalized: Value, weights: Weights): Value {
    return this.#embedding(this.#tokens(normalized, weights), weights);
  }

  headFeatures(pixels: Value, weights: Weights): Value {
    return optimizedModel(this.headFeaturesNormalized(normalize(pixels, this.normalization), weights));
  }

  /** The same from pixels that are normalised already. */
  headFeaturesNormalized(normalized: Value, weights: Weights): Value {
    const { graph: g } = normalized;
    const tokens = this.#tokens(normalized, weights);
    const embedding = this.#embedding(tokens, weights);
    if (this.architecture.headReads === "class") return embedding;
    const patches = g.slice(tokens, { starts: [1], ends: [tokens.shape[1]!], axes: [1] });
    const normed = layerNorm(patches, weights, "norm", this.architecture.normEpsilon);
    return g.concat([embedding, g.reduceMean(normed, { axes: [1] })], 1);
  }

  /** All tokens after the last norm, the class token first, from normalised pixels; [N, 1 + patches, width]. */
  lastHiddenState(normalized: Value, weights: Weights): Value {
    return layerNorm(this.#tokens(normalized, weights), weights, "norm", this.architecture.normEpsilon);
  }

  /** The class token after the last norm, projected where there is a projection; [N, embeddingSize]. */
  #embedding(tokens: Value, weights: Weights): Value {
    const { graph: g } = tokens;
    const { width, projection, normEpsilon } = this.architecture;
    const classRows = g.slice(tokens, { starts: [0], ends: [1], axes: [1] });
    const classToken = layerNorm(g.reshape(classRows, [-1, width]), weights, "norm", normEpsilon);
    return projection === undefined
      ? classToken
      : g.gemm(classToken, weights("proj.weight"), undefined, { transB: true });
  }

  /** All tokens after the last block, [N, 1 + patches, width]. */
  #tokens(normalized: Value, weights: Weights): Value {
    const { graph: g } = normalized;
    const { width, preNorm, normEpsilon } = this.architecture;
    const patches = this.#patches(normalized, weights);
    const length = patches.shape[1]! + 1;
    // The class token rides on the position embeddings: no operand then needs to know the batch size.
    const classToken = g.pad(weights("cls_token"), [0, 0, 0, 0, length - 1, 0]);
    const tokens = g.add(g.pad(patches, [0, 1, 0, 0, 0, 0]), g.add(weights("pos_embed"), classToken));
    const rows = g.reshape(tokens, [-1, width]);
    const first = preNorm ? layerNorm(rows, weights, "norm_pre", normEpsilon) : rows;
    return g.reshape(transformer(first, this.architecture, length, weights), [-1, length, width]);
  }

  /** Non-overlapping patches times a matrix: the same as the strided convolution, but one large product. */
  #patches(pixels: Value, weights: Weights): Value {
    const { graph: g } = pixels;
    const { patch, width, patchBias } = this.architecture;
    const side = this.imageSize / patch;
    const grid = g.reshape(pixels, [-1, 3, side, patch, side, patch]);
    const rows = g.reshape(g.transpose(grid, [0, 2, 4, 1, 3, 5]), [-1, 3 * patch * patch]);
    const weight = g.reshape(weights("patch_embed.proj.weight"), [width, 3 * patch * patch]);
    const bias = patchBias ? weights("patch_embed.proj.bias") : undefined;
    return g.reshape(g.gemm(rows, weight, bias, { transB: true }), [-1, side * side, width]);
  }
}

function fittedParameters(
  name: string,
  architecture: VitArchitecture,
  imageSize: number,
  given: Parameters,
): Parameters {
  const { patch, width, heads } = architecture;
  checkImageSize(name, imageSize, patch, "patch size");
  if (width % heads !== 0) throw new UsageError(`${name}: width ${width} does not divide into ${heads} heads.`);
  const positions = given.get("pos_embed");
  const fitted =
    positions?.shape.length === 3
      ? new Map([...given, ["pos_embed", resizePositions(positions, imageSize / patch)] as const])
      : given;
  return checkedParameters(name, vitShapes(architecture, imageSize), fitted);
}

/** Random weights as timm initialises them: truncated normal of deviation 0.02, zero biases, unit norms. */
export function randomVitParameters(
  architecture: VitArchitecture,
  imageSize: number,
  normal: () => number,
): Parameters {
  return new Map(
    [...vitShapes(architecture, imageSize)].map(([name, shape]): [string, Tensor<"float32">] => {
      const data = allocate("float32", shape);
      if (/norm(\d|_pre)?\.weight$/.test(name)) data.fill(1);
      else if (!name.endsWith("bias"))
        for (let i = 0; i < elementCount(shape); i++) data[i] = 0.02 * clampedNormal(normal);
      return [name, { dtype: "float32", shape, data }];
    }),
  );
}

function clampedNormal(normal: () => number): number {
  return Math.min(Math.max(normal(), -2), 2);
}
