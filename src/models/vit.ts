import { UsageError } from "../errors.ts";
import type { Value } from "../graph/index.ts";
import { allocate, describeType, elementCount, type Tensor } from "../onnx/tensor.ts";
import type { LinearClassifier } from "./classifier.ts";
import { type Encoder, type Normalization, normalize, type Parameters, type Weights } from "./encoder.ts";
import { resizePositions } from "./positions.ts";

/** A plain vision transformer (Dosovitskiy et al. 2021; DeiT), pre-norm, class token, exact GELU, in timm's names. */
export interface VitArchitecture {
  readonly patch: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
}

const layerNormEpsilon = 1e-6;

/** Every tensor of the architecture with its shape, in timm's names and order. */
export function vitShapes(architecture: VitArchitecture, imageSize: number): ReadonlyMap<string, readonly number[]> {
  const { patch, width, depth } = architecture;
  const tokens = 1 + (imageSize / patch) ** 2;
  const blocks = Array.from({ length: depth }, (_, i): [string, readonly number[]][] => [
    [`blocks.${i}.norm1.weight`, [width]],
    [`blocks.${i}.norm1.bias`, [width]],
    [`blocks.${i}.attn.qkv.weight`, [3 * width, width]],
    [`blocks.${i}.attn.qkv.bias`, [3 * width]],
    [`blocks.${i}.attn.proj.weight`, [width, width]],
    [`blocks.${i}.attn.proj.bias`, [width]],
    [`blocks.${i}.norm2.weight`, [width]],
    [`blocks.${i}.norm2.bias`, [width]],
    [`blocks.${i}.mlp.fc1.weight`, [4 * width, width]],
    [`blocks.${i}.mlp.fc1.bias`, [4 * width]],
    [`blocks.${i}.mlp.fc2.weight`, [width, 4 * width]],
    [`blocks.${i}.mlp.fc2.bias`, [width]],
  ]);
  return new Map([
    ["cls_token", [1, 1, width]],
    ["pos_embed", [1, tokens, width]],
    ["patch_embed.proj.weight", [width, 3, patch, patch]],
    ["patch_embed.proj.bias", [width]],
    ...blocks.flat(),
    ["norm.weight", [width]],
    ["norm.bias", [width]],
  ]);
}

/** A vision transformer whose embedding is the class token after the last norm. */
export class VitEncoder implements Encoder {
  readonly name: string;
  readonly architecture: VitArchitecture;
  readonly imageSize: number;
  readonly normalization: Normalization;
  readonly parameters: Parameters;
  readonly head?: LinearClassifier;

  constructor(options: {
    readonly name: string;
    readonly architecture: VitArchitecture;
    /** Pixels; divisible by the patch size. Position embeddings are interpolated to it when they have another size. */
    readonly imageSize: number;
    readonly normalization: Normalization;
    readonly parameters: Parameters;
    readonly head?: LinearClassifier;
  }) {
    const { architecture, imageSize, parameters, head } = options;
    this.name = options.name;
    this.architecture = architecture;
    this.imageSize = imageSize;
    this.normalization = options.normalization;
    this.parameters = checkedParameters(options.name, architecture, imageSize, parameters);
    if (head) this.head = head;
  }

  get embeddingSize(): number {
    return this.architecture.width;
  }

  withParameters(parameters: Parameters): VitEncoder {
    const { name, architecture, imageSize, normalization, head } = this;
    return new VitEncoder({ name, architecture, imageSize, normalization, parameters, ...(head && { head }) });
  }

  embed(pixels: Value, weights: Weights): Value {
    return this.embedNormalized(normalize(pixels, this.normalization), weights);
  }

  embedNormalized(normalized: Value, weights: Weights): Value {
    const { graph: g } = normalized;
    const { width, depth } = this.architecture;
    const patches = this.#patches(normalized, weights);
    const length = patches.shape[1]! + 1;
    // The class token rides on the position embeddings: no operand then needs to know the batch size.
    const classToken = g.pad(weights("cls_token"), [0, 0, 0, 0, length - 1, 0]);
    const tokens = g.add(g.pad(patches, [0, 1, 0, 0, 0, 0]), g.add(weights("pos_embed"), classToken));
    let x = g.reshape(tokens, [-1, width]);
    for (let i = 0; i < depth; i++) x = this.#block(x, length, (name) => weights(`blocks.${i}.${name}`));
    const classRows = g.slice(g.reshape(x, [-1, length, width]), { starts: [0], ends: [1], axes: [1] });
    return layerNorm(g.reshape(classRows, [-1, width]), weights, "norm");
  }

  /** Non-overlapping patches times a matrix: the same as the strided convolution, but one large product. */
  #patches(pixels: Value, weights: Weights): Value {
    const { graph: g } = pixels;
    const { patch, width } = this.architecture;
    const side = this.imageSize / patch;
    const grid = g.reshape(pixels, [-1, 3, side, patch, side, patch]);
    const rows = g.reshape(g.transpose(grid, [0, 2, 4, 1, 3, 5]), [-1, 3 * patch * patch]);
    const weight = g.reshape(weights("patch_embed.proj.weight"), [width, 3 * patch * patch]);
    return g.reshape(g.gemm(rows, weight, weights("patch_embed.proj.bias"), { transB: true }), [
      -1,
      side * side,
      width,
    ]);
  }

  #block(x: Value, length: number, weights: Weights): Value {
    const { graph: g } = x;
    const attended = g.add(x, this.#attention(layerNorm(x, weights, "norm1"), length, weights));
    const hidden = g.gelu(linear(layerNorm(attended, weights, "norm2"), weights, "mlp.fc1"));
    return g.add(attended, linear(hidden, weights, "mlp.fc2"));
  }

  #attention(x: Value, length: number, weights: Weights): Value {
    const { graph: g } = x;
    const { width, heads } = this.architecture;
    const size = width / heads;
    const [q, k, v] = g
      .split(linear(x, weights, "attn.qkv"), [width, width, width], 1)
      .map((part) => g.transpose(g.reshape(part, [-1, length, heads, size]), [0, 2, 1, 3]));
    const scores = g.mul(g.matMul(q!, g.swap(k!)), 1 / Math.sqrt(size));
    const mixed = g.matMul(g.softmax(scores), v!);
    return linear(g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [-1, width]), weights, "attn.proj");
  }
}

function layerNorm(x: Value, weights: Weights, name: string): Value {
  return x.graph.layerNormalization(x, weights(`${name}.weight`), weights(`${name}.bias`), {
    epsilon: layerNormEpsilon,
  });
}

function linear(x: Value, weights: Weights, name: string): Value {
  return x.graph.gemm(x, weights(`${name}.weight`), weights(`${name}.bias`), { transB: true });
}

function checkedParameters(
  name: string,
  architecture: VitArchitecture,
  imageSize: number,
  given: Parameters,
): Parameters {
  const { patch, width, heads } = architecture;
  if (!Number.isInteger(imageSize) || imageSize < patch || imageSize % patch !== 0) {
    throw new UsageError(
      `Image size ${imageSize} does not fit ${name}: it must be a multiple of its patch size ${patch}.`,
    );
  }
  if (width % heads !== 0) throw new UsageError(`${name}: width ${width} does not divide into ${heads} heads.`);
  return new Map(
    [...vitShapes(architecture, imageSize)].map(([key, shape]) => {
      const found = given.get(key);
      if (!found) throw new UsageError(`${name}: the tensor ${key} is missing.`);
      const tensor =
        key === "pos_embed" && found.shape.length === 3 ? resizePositions(found, imageSize / patch) : found;
      if (tensor.shape.join() !== shape.join()) {
        const got = describeType(found.dtype, found.shape);
        throw new UsageError(
          `${name}: the tensor ${key} is ${got}, but this architecture needs ${describeType("float32", shape)}.`,
        );
      }
      return [key, tensor];
    }),
  );
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
      if (/norm\d?\.weight$/.test(name)) data.fill(1);
      else if (!name.endsWith("bias"))
        for (let i = 0; i < elementCount(shape); i++) data[i] = 0.02 * clampedNormal(normal);
      return [name, { dtype: "float32", shape, data }];
    }),
  );
}

function clampedNormal(normal: () => number): number {
  return Math.min(Math.max(normal(), -2), 2);
}
