import type { Value } from "../../graph/index.ts";
import type { Weights } from "../encoder.ts";

/** `quickGelu` is x sigmoid(1.702 x), which OpenAI's CLIP was trained with; `gelu` is exact. */
export type Activation = "gelu" | "quickGelu";

/** A stack of pre-norm transformer blocks, as CLIP's two towers, ViT and DINOv2 share them. */
export interface TransformerArchitecture {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** Width of the hidden layer of each block's perceptron. */
  readonly hidden: number;
  readonly activation: Activation;
  /** Added to the variance in every layer norm. */
  readonly normEpsilon: number;
  /** Whether each residual branch is scaled by a learned vector (DINOv2). */
  readonly layerScale: boolean;
}

/** The tensors of the blocks with their shapes, in timm's names and order. */
export function blockShapes(architecture: TransformerArchitecture): readonly (readonly [string, readonly number[]])[] {
  const { width, depth, hidden, layerScale } = architecture;
  const block: readonly (readonly [string, readonly number[]])[] = [
    ["norm1.weight", [width]],
    ["norm1.bias", [width]],
    ["attn.qkv.weight", [3 * width, width]],
    ["attn.qkv.bias", [3 * width]],
    ["attn.proj.weight", [width, width]],
    ["attn.proj.bias", [width]],
    ...(layerScale ? [["ls1.gamma", [width]] as const] : []),
    ["norm2.weight", [width]],
    ["norm2.bias", [width]],
    ["mlp.fc1.weight", [hidden, width]],
    ["mlp.fc1.bias", [hidden]],
    ["mlp.fc2.weight", [width, hidden]],
    ["mlp.fc2.bias", [width]],
    ...(layerScale ? [["ls2.gamma", [width]] as const] : []),
  ];
  return Array.from({ length: depth }, (_, i) =>
    block.map(([name, shape]) => [`blocks.${i}.${name}`, shape] as const),
  ).flat();
}

/**
 * Adds the blocks to the graph.
 *
 * @param x tokens of all sequences under each other, [N length, width]
 * @param mask added to the attention scores, [length, length]; -Infinity where a token must not look
 * @returns [N length, width], before any last norm
 */
export function transformer(
  x: Value,
  architecture: TransformerArchitecture,
  length: number,
  weights: Weights,
  mask?: Value,
): Value {
  for (let i = 0; i < architecture.depth; i++) {
    x = block(x, architecture, length, (name) => weights(`blocks.${i}.${name}`), mask);
  }
  return x;
}

function block(x: Value, architecture: TransformerArchitecture, length: number, weights: Weights, mask?: Value): Value {
  const { graph: g } = x;
  const { layerScale, activation, normEpsilon } = architecture;
  const scaled = (branch: Value, name: string): Value => (layerScale ? g.mul(branch, weights(name)) : branch);
  const normed = layerNorm(x, weights, "norm1", normEpsilon);
  const attended = g.add(x, scaled(attention(normed, architecture, length, weights, mask), "ls1.gamma"));
  const hidden = activate(linear(layerNorm(attended, weights, "norm2", normEpsilon), weights, "mlp.fc1"), activation);
  return g.add(attended, scaled(linear(hidden, weights, "mlp.fc2"), "ls2.gamma"));
}

function attention(
  x: Value,
  { width, heads }: TransformerArchitecture,
  length: number,
  weights: Weights,
  mask?: Value,
): Value {
  const { graph: g } = x;
  const size = width / heads;
  // Stacks of matrices rather than a grid of them: ONNX Runtime then transposes k within the product.
  const [q, k, v] = g
    .split(linear(x, weights, "attn.qkv"), [width, width, width], 1)
    .map((part) => g.transpose(g.reshape(part, [-1, length, heads, size]), [0, 2, 1, 3]))
    .map((part) => g.reshape(part, [-1, length, size]));
  const scores = g.mul(g.matMul(q!, g.swap(k!)), 1 / Math.sqrt(size));
  const mixed = g.matMul(g.softmax(mask ? g.add(scores, mask) : scores), v!);
  const byHead = g.transpose(g.reshape(mixed, [-1, heads, length, size]), [0, 2, 1, 3]);
  return linear(g.reshape(byHead, [-1, width]), weights, "attn.proj");
}

export function activate(x: Value, activation: Activation): Value {
  const { graph: g } = x;
  return activation === "gelu" ? g.gelu(x) : g.swish(x, 1.702);
}

export function layerNorm(x: Value, weights: Weights, name: string, epsilon: number): Value {
  return x.graph.layerNormalization(x, weights(`${name}.weight`), weights(`${name}.bias`), { epsilon });
}

/** x weight^T + bias for x [rows, inputs]. */
export function linear(x: Value, weights: Weights, name: string): Value {
  return x.graph.gemm(x, weights(`${name}.weight`), weights(`${name}.bias`), { transB: true });
}
