import type { CompileOptions } from "../../runtime/index.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface EmbedTextOptions extends CompileOptions {
  readonly onProgress?: (done: number, total: number) => void;
}

/** The half of a CLIP that embeds texts, frozen. */
export interface TextTower {
  readonly embeddingSize: number;
  /** Tokens a text is cut to; 77 in CLIP. */
  readonly contextLength: number;
  readonly tokenizer: Tokenizer;
  /** exp(logit_scale), by which CLIP multiplies cosines; 100 for OpenAI's. */
  readonly logitScale: number;
  /** Changes whenever the embeddings of texts may change: a digest of weights and architecture. */
  readonly digest: string;
  /**
   * Un-normalised embeddings, [texts, embeddingSize], row-major.
   *
   * @throws UsageError when there are no texts
   */
  embed(texts: readonly string[], options?: EmbedTextOptions): Promise<Float32Array>;
}

/** Texts that go through a tower at a time. */
export const textBatch = 64;

/** Texts as rows of token ids of one length, the longest text's; shorter ones are filled up with the end marker. */
export function tokenRows(
  tower: Pick<TextTower, "tokenizer" | "contextLength">,
  texts: readonly string[],
): { readonly ids: BigInt64Array; readonly length: number } {
  const { tokenizer, contextLength } = tower;
  const rows = texts.map((text) => tokenizer.encode(text, contextLength));
  const length = Math.max(...rows.map((row) => row.length));
  const ids = new BigInt64Array(texts.length * length).fill(BigInt(tokenizer.end));
  for (const [i, row] of rows.entries()) ids.set(BigInt64Array.from(row, BigInt), i * length);
  return { ids, length };
}
