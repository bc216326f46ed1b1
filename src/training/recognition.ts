import { embeddingDistance, lossGraph, pgd, planOf, runSearches } from "../attacks/index.ts";
import { type ImageSource, openBatches } from "../data/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { type Encoder, feedsOf, type Parameters, trainableWeights } from "../models/index.ts";
import { type CompileOptions, compile, ProgramLadder, takingTurns } from "../runtime/index.ts";

/** Images for judging a run: enough to tell a gain of 20 points from chance, few enough to cost only seconds. */
export const recognitionImages = 64;

/** Fewer images give no meaningful result. */
export const minRecognitionImages = 32;

const attackSteps = 10;

/** Whether each held-out image is recognised, clean and under a short attack. */
export interface Recognition {
  readonly clean: readonly boolean[];
  readonly attacked: readonly boolean[];
}

export interface RecognitionOptions extends CompileOptions {
  /** Largest l-inf norm of a perturbation. */
  readonly epsilon: number;
  readonly seed: number;
  /** Images a program takes at a time. */
  readonly batch: number;
}

/**
 * A label-free test of robustness on held-out images. An image is recognised if its embedding is nearer to the original
 * encoder's embedding of that image than to those of the others (cosine, centred on the original's mean). The attack is
 * PGD of 10 steps away from the original's embedding, in squared l2. Chance is one over the number of images.
 */
export class RecognitionCheck {
  readonly count: number;
  readonly #encoder: Encoder;
  readonly #pixels: Float32Array;
  readonly #options: RecognitionOptions;
  #original: Float32Array = new Float32Array();

  private constructor(encoder: Encoder, pixels: Float32Array, options: RecognitionOptions) {
    this.#encoder = encoder;
    this.#pixels = pixels;
    this.#options = options;
    this.count = pixels.length / (3 * encoder.imageSize ** 2);
  }

  /**
   * Reads the images; those that cannot be read are left out.
   *
   * @param original the encoder before training
   * @returns undefined if there are too few images
   */
  static async open(
    original: Encoder,
    source: ImageSource,
    indices: readonly number[],
    options: RecognitionOptions,
  ): Promise<RecognitionCheck | undefined> {
    const order = indices.slice(0, recognitionImages);
    if (order.length < minRecognitionImages) return undefined;
    const room = new Float32Array(order.length * 3 * original.imageSize ** 2);
    let filled = 0;
    for await (const { pixels } of openBatches(source, { order, framing: original.framing, batch: 16 })) {
      room.set(pixels, filled);
      filled += pixels.length;
    }
    const pixels = room.subarray(0, filled);
    const check = new RecognitionCheck(original, pixels, { ...options, ...takingTurns(options) });
    if (check.count < minRecognitionImages) return undefined;
    check.#original = await check.#embed(original.parameters, pixels);
    return check;
  }

  /** Recognition by the same encoder with these weights. */
  async under(parameters: Parameters): Promise<Recognition> {
    const clean = await this.#embed(parameters, this.#pixels);
    const attacked = await this.#embed(parameters, await this.#attacked(parameters));
    return { clean: this.#recognized(clean), attacked: this.#recognized(attacked) };
  }

  async #attacked(parameters: Parameters): Promise<Float32Array> {
    const { imageSize, name } = this.#encoder;
    const { epsilon, seed, batch, ...options } = this.#options;
    const attack = pgd({ epsilon, steps: attackSteps, loss: "embedding-l2" });
    const target = embeddingDistance((pixels) => this.#embedding(pixels), "embedding-l2");
    const programs = new ProgramLadder(
      (size) => compile(lossGraph({ batch: size, imageSize, gradient: true }, target), options),
      batch,
    );
    const count = this.count;
    try {
      const keys = Array.from({ length: count }, (_, i) => i);
      const { adversarial } = await runSearches(programs, planOf(attack, { clean: this.#pixels, count, keys, seed }), {
        ...{ clean: this.#pixels, count, rows: { reference: this.#original }, weights: feedsOf(parameters) },
        nameOf: (i) => `${name} at image ${i} of those kept aside`,
      });
      return adversarial;
    } finally {
      await programs.dispose();
    }
  }

  /** Embeddings [count, D] of the pixels under the weights. */
  async #embed(parameters: Parameters, pixels: Float32Array): Promise<Float32Array> {
    const { imageSize, embeddingSize } = this.#encoder;
    const { batch, ...options } = this.#options;
    const length = 3 * imageSize ** 2;
    const input = new Graph().input("pixels", "float32", [batch, 3, imageSize, imageSize]);
    const program = await compile({ embedding: this.#embedding(input) }, options);
    try {
      const all = new Float32Array(this.count * embeddingSize);
      const padded = new Float32Array(batch * length);
      for (let start = 0; start < this.count; start += batch) {
        const used = Math.min(batch, this.count - start);
        padded.set(pixels.subarray(start * length, (start + used) * length));
        const { embedding } = await program.run({ ...feedsOf(parameters), pixels: padded });
        all.set((embedding as Float32Array).subarray(0, used * embeddingSize), start * embeddingSize);
      }
      return all;
    } finally {
      await program.dispose();
    }
  }

  #embedding(pixels: Value): Value {
    const weights = trainableWeights(pixels.graph, this.#encoder.parameters);
    return this.#encoder.embed(pixels, (name) => weights.get(name)!);
  }

  #recognized(embeddings: Float32Array): readonly boolean[] {
    return recognized(this.#original, embeddings, this.#encoder.embeddingSize);
  }
}

/**
 * Whether each embedding is nearest to the original of its own image, by cosine centred on the original embeddings'
 * mean. Embeddings that are not finite are not recognised.
 *
 * @param original [n, size], row-major
 * @param moved [n, size], of the same images
 */
export function recognized(original: Float32Array, moved: Float32Array, size: number): readonly boolean[] {
  const count = original.length / size;
  const mean = new Float64Array(size);
  for (const [i, x] of original.entries()) mean[i % size]! += x / count;
  const units = (data: Float32Array): readonly Float64Array[] =>
    Array.from({ length: count }, (_, i) => {
      const row = Float64Array.from(data.subarray(i * size, (i + 1) * size), (x, d) => x - mean[d]!);
      const length = Math.hypot(...row);
      return row.map((x) => x / length);
    });
  const [originals, rows] = [units(original), units(moved)];
  const cosine = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0);
  return rows.map((row, i) => {
    const own = cosine(row, originals[i]!);
    return originals.every((other, j) => j === i || own > cosine(row, other));
  });
}
