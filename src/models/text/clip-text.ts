import { createHash } from "node:crypto";
import { UsageError } from "../../errors.ts";
import { Graph, type Value } from "../../graph/index.ts";
import { compile } from "../../runtime/index.ts";
import { bytesOf } from "../../tensor/index.ts";
import { blockShapes, layerNorm, type TransformerArchitecture, transformer } from "../architectures/transformer.ts";
import { frozenWeights, type Parameters, type Weights } from "../encoder.ts";
import { type EmbedTextOptions, type TextTower, textBatch, tokenRows } from "./text-tower.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** CLIP's text transformer (Radford et al. 2021): causal, read off at the end marker, then projected. */
export interface ClipTextArchitecture extends TransformerArchitecture {
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly embeddingSize: number;
}

/** Every tensor of the architecture with its shape, blocks in timm's names. */
export function clipTextShapes(architecture: ClipTextArchitecture): ReadonlyMap<string, readonly number[]> {
  const { vocabularySize, contextLength, width, embeddingSize } = architecture;
  return new Map<string, readonly number[]>([
    ["token_embedding.weight", [vocabularySize, width]],
    ["pos_embed", [contextLength, width]],
    ...blockShapes(architecture),
    ["norm.weight", [width]],
    ["norm.bias", [width]],
    ["proj.weight", [embeddingSize, width]],
  ]);
}

/**
 * The text transformer as graph nodes. A row ends at its first end marker; what follows has no influence, since tokens
 * look backwards only.
 *
 * @param ids token ids, int64 [N, length], each row with an end marker; length at most the context length
 * @returns un-normalised embeddings [N, embeddingSize]
 */
export function embedTokens(ids: Value, architecture: ClipTextArchitecture, end: number, weights: Weights): Value {
  const { graph: g } = ids;
  const { width, normEpsilon } = architecture;
  const length = ids.shape[1]!;
  const tokens = g.gather(weights("token_embedding.weight"), ids);
  const positions = g.slice(weights("pos_embed"), { starts: [0], ends: [length], axes: [0] });
  const x = g.reshape(g.add(tokens, positions), [-1, width]);
  const last = transformer(x, architecture, length, weights, causalMask(g, length));
  // Only the row at the end marker is needed: picked by a product with its one-hot row, then normalised.
  const firstEnd = g.argMax(g.cast(g.equal(ids, g.scalar(end, "int64")), "float32"), 1);
  const steps = g.indices(Array.from({ length }, (_, i) => i));
  const chosen = g.cast(g.equal(g.unsqueeze(firstEnd, [1]), g.unsqueeze(steps, [0])), "float32");
  const picked = g.matMul(g.unsqueeze(chosen, [1]), g.reshape(last, [-1, length, width]));
  const normed = layerNorm(g.reshape(picked, [-1, width]), weights, "norm", normEpsilon);
  return g.gemm(normed, weights("proj.weight"), undefined, { transB: true });
}

function causalMask(g: Graph, length: number): Value {
  const data = new Float32Array(length * length);
  for (let i = 0; i < length; i++) data.fill(Number.NEGATIVE_INFINITY, i * length + i + 1, (i + 1) * length);
  return g.constant({ dtype: "float32", shape: [length, length], data });
}

/** A text tower with its weights in memory. */
export class ClipText implements TextTower {
  readonly architecture: ClipTextArchitecture;
  readonly parameters: Parameters;
  readonly tokenizer: Tokenizer;
  readonly logitScale: number;

  constructor(options: {
    readonly architecture: ClipTextArchitecture;
    readonly parameters: Parameters;
    readonly tokenizer: Tokenizer;
    readonly logitScale: number;
  }) {
    this.architecture = options.architecture;
    this.parameters = options.parameters;
    this.tokenizer = options.tokenizer;
    this.logitScale = options.logitScale;
    const { vocabularySize } = options.architecture;
    if (options.tokenizer.vocabularySize > vocabularySize) {
      throw new UsageError(
        `The tokenizer knows ${options.tokenizer.vocabularySize} tokens, the text tower ${vocabularySize}: they do not belong together.`,
      );
    }
  }

  get embeddingSize(): number {
    return this.architecture.embeddingSize;
  }

  get contextLength(): number {
    return this.architecture.contextLength;
  }

  get digest(): string {
    const hash = createHash("sha256").update(JSON.stringify(this.architecture));
    for (const [name, tensor] of this.parameters) hash.update(name).update(bytesOf(tensor.data));
    return hash.digest("hex");
  }

  async embed(texts: readonly string[], options: EmbedTextOptions = {}): Promise<Float32Array> {
    if (texts.length === 0) throw new UsageError("There are no texts to embed.");
    const { ids, length } = tokenRows(this, texts);
    const batch = Math.min(textBatch, texts.length);
    const g = new Graph();
    const input = g.input("ids", "int64", [batch, length]);
    const embedding = embedTokens(input, this.architecture, this.tokenizer.end, frozenWeights(g, this.parameters));
    const program = await compile({ embedding }, options);
    const all = new Float32Array(texts.length * this.embeddingSize);
    try {
      for (let start = 0; start < texts.length; start += batch) {
        // The last batch begins early instead of being padded.
        const first = Math.min(start, texts.length - batch);
        const result = await program.run({ ids: ids.subarray(first * length, (first + batch) * length) });
        all.set(result.embedding as Float32Array, first * this.embeddingSize);
        options.onProgress?.(Math.min(start + batch, texts.length), texts.length);
      }
    } finally {
      await program.dispose();
    }
    return all;
  }
}
