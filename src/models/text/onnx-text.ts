import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { LoreError, UsageError } from "../../errors.ts";
import { readBytes, withFile } from "../../files.ts";
import { externalLocations, OnnxError } from "../../onnx/index.ts";
import { sessionOptions, usualThreads } from "../../runtime/index.ts";
import { elementCount } from "../../tensor/index.ts";
import { externalPath } from "../onnx/file.ts";
import { type EmbedTextOptions, type TextTower, textBatch, tokenRows } from "./text-tower.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface OnnxTextOptions {
  readonly path: string;
  readonly tokenizer: Tokenizer;
  /** The image embedding's. */
  readonly embeddingSize: number;
  readonly contextLength: number;
  /**
   * Default 100, which OpenAI's CLIP learnt and which its training does not exceed. A config.json does not tell: its
   * `logit_scale_init_value` is what training starts from.
   */
  readonly logitScale?: number;
}

/**
 * A text tower of which there is only the `text_model.onnx` of a transformers.js folder: run as it is, by ONNX Runtime.
 * Its inputs are `input_ids` and perhaps `attention_mask`, int64 [batch, length]; its output is `text_embeds`
 * [batch, embeddingSize].
 */
export class OnnxText implements TextTower {
  readonly path: string;
  readonly tokenizer: Tokenizer;
  readonly embeddingSize: number;
  readonly contextLength: number;
  readonly logitScale: number;

  constructor(options: OnnxTextOptions) {
    this.path = options.path;
    this.tokenizer = options.tokenizer;
    this.embeddingSize = options.embeddingSize;
    this.contextLength = options.contextLength;
    this.logitScale = options.logitScale ?? 100;
  }

  /**
   * Opens the tower after checking that all of its files are there.
   *
   * @throws UsageError when it is no ONNX file, or names weights that are not there or lie outside its folder
   */
  static open(options: OnnxTextOptions): OnnxText {
    const text = new OnnxText(options);
    try {
      const missing = text.external.find((location) => !existsSync(externalPath(text.path, location)));
      if (missing === undefined) return text;
      throw new UsageError(`its weights lie in ${missing} beside it, which is not there`);
    } catch (cause) {
      if (!(cause instanceof OnnxError || cause instanceof UsageError)) throw cause;
      throw new UsageError(`The text tower ${text.path}: ${cause.message}.`, { cause });
    }
  }

  /** The files beside it that hold weights, as the ONNX file names them. */
  get external(): readonly string[] {
    return externalLocations(readBytes(this.path));
  }

  get digest(): string {
    const hash = createHash("sha256").update(readBytes(this.path));
    for (const location of this.external) hash.update(readBytes(externalPath(this.path, location)));
    return hash.digest("hex");
  }

  async embed(texts: readonly string[], options: EmbedTextOptions = {}): Promise<Float32Array> {
    if (texts.length === 0) throw new UsageError("There are no texts to embed.");
    const { ids, length } = tokenRows(this, texts);
    const all = new Float32Array(texts.length * this.embeddingSize);
    const session = await this.#open(options);
    try {
      for (let start = 0; start < texts.length; start += textBatch) {
        const end = Math.min(start + textBatch, texts.length);
        const rows = ids.slice(start * length, end * length);
        all.set(await this.#run(session, rows, [end - start, length]), start * this.embeddingSize);
        options.onProgress?.(end, texts.length);
      }
    } finally {
      await session.release();
    }
    return all;
  }

  /** It and the files beside it, as far as they can be told and are there. */
  #files(): readonly string[] {
    try {
      return [this.path, ...this.external.map((location) => externalPath(this.path, location)).filter(existsSync)];
    } catch (cause) {
      if (cause instanceof OnnxError || cause instanceof UsageError) return [this.path];
      throw cause;
    }
  }

  async #open(options: EmbedTextOptions): Promise<InferenceSession> {
    // The content distinguishes a Git LFS pointer from a damaged file.
    if (existsSync(this.path)) for (const path of this.#files()) withFile(path, () => {});
    const settings = sessionOptions({ ...usualThreads(), ...options });
    const session = await InferenceSession.create(this.path, settings).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new UsageError(`ONNX Runtime cannot run ${this.path}: ${reason}`, { cause });
    });
    const unknown = session.inputNames.find((name) => name !== "input_ids" && name !== "attention_mask");
    if (unknown === undefined && session.outputNames.includes("text_embeds")) return session;
    await session.release();
    throw new UsageError(
      `${this.path} is not a text model with projection: it should make text_embeds of input_ids and attention_mask, ` +
        `and makes ${session.outputNames.join(", ")} of ${session.inputNames.join(", ")}.`,
    );
  }

  async #run(session: InferenceSession, ids: BigInt64Array, shape: readonly [number, number]): Promise<Float32Array> {
    const feeds: Record<string, Tensor> = { input_ids: new Tensor("int64", ids, shape) };
    if (session.inputNames.includes("attention_mask")) {
      feeds.attention_mask = new Tensor("int64", attentionMask(ids, shape, BigInt(this.tokenizer.end)), shape);
    }
    const { text_embeds: embeddings } = await session.run(feeds, ["text_embeds"]);
    const wanted = [shape[0], this.embeddingSize];
    if (embeddings?.type === "float32" && embeddings.dims.join() === wanted.join())
      return embeddings.data as Float32Array;
    throw new LoreError(
      `${this.path} gives text embeddings of type ${embeddings?.type} and shape [${embeddings?.dims}]; the image embedding needs float32 [${wanted}].`,
    );
  }
}

/** 1 up to each row's first end marker, 0 behind it. */
function attentionMask(ids: BigInt64Array, [rows, length]: readonly [number, number], end: bigint): BigInt64Array {
  const mask = new BigInt64Array(elementCount([rows, length]));
  for (let row = 0; row < rows; row++) {
    const last = ids.subarray(row * length, (row + 1) * length).indexOf(end);
    mask.fill(1n, row * length, row * length + last + 1);
  }
  return mask;
}
