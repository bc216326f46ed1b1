import { Graph } from "../graph/index.ts";
import { type Encoder, feedsOf, type Parameters, trainableEmbedding } from "../models/index.ts";
import { type CompileOptions, compile, type Program } from "../runtime/index.ts";

/** Copies an image's pixels [3, S, S], in [0, 1]. */
export type CopyPixels = (image: number, into: Float32Array) => void;

/** Embeds images under any weights of one encoder: they are inputs of one program. */
export class WeightedEmbedder {
  readonly #encoder: Encoder;
  readonly #program: Program<"embedding">;
  readonly #batch: number;

  private constructor(encoder: Encoder, program: Program<"embedding">, batch: number) {
    this.#encoder = encoder;
    this.#program = program;
    this.#batch = batch;
  }

  /** @param options `batch`: images the program takes at a time */
  static async compile(
    encoder: Encoder,
    { batch, ...options }: CompileOptions & { readonly batch: number },
  ): Promise<WeightedEmbedder> {
    const { imageSize: size } = encoder;
    const pixels = new Graph().input("pixels", "float32", [batch, 3, size, size]);
    const program = await compile({ embedding: trainableEmbedding(encoder, pixels) }, options);
    return new WeightedEmbedder(encoder, program, batch);
  }

  /**
   * Embeddings [count, D], row-major.
   *
   * @param pixels [count, 3, S, S] in [0, 1]
   */
  embed(parameters: Parameters, pixels: Float32Array): Promise<Float32Array> {
    const length = 3 * this.#encoder.imageSize ** 2;
    const copy: CopyPixels = (image, into) => into.set(pixels.subarray(image * length, (image + 1) * length));
    return this.embedEach(parameters, pixels.length / length, copy);
  }

  /** The same of `count` images that lie elsewhere, or in another form. */
  async embedEach(parameters: Parameters, count: number, copy: CopyPixels): Promise<Float32Array> {
    const { embeddingSize, imageSize } = this.#encoder;
    const length = 3 * imageSize ** 2;
    const all = new Float32Array(count * embeddingSize);
    const pixels = new Float32Array(this.#batch * length);
    for (let start = 0; start < count; start += this.#batch) {
      const used = Math.min(this.#batch, count - start);
      for (let i = 0; i < used; i++) copy(start + i, pixels.subarray(i * length, (i + 1) * length));
      const { embedding } = await this.#program.run({ ...feedsOf(parameters), pixels });
      all.set((embedding as Float32Array).subarray(0, used * embeddingSize), start * embeddingSize);
    }
    return all;
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
  }
}
