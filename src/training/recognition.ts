import { embeddingDistance, lossGraph, pgd, planOf, runSearches } from "../attacks/index.ts";
import { type ImageSource, openBatches } from "../data/index.ts";
import { meanRow, unitRows, WeightedEmbedder } from "../inference/index.ts";
import { type Encoder, feedsOf, type Parameters, trainableEmbedding } from "../models/index.ts";
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
    check.#original = await check.#embedded((embedder) => embedder.embed(original.parameters, pixels));
    return check;
  }

  /** Recognition by the same encoder with these weights. */
  async under(parameters: Parameters): Promise<Recognition> {
    return this.#embedded(async (embedder) => ({
      clean: this.#recognized(await embedder.embed(parameters, this.#pixels)),
      attacked: this.#recognized(await embedder.embed(parameters, await this.#attacked(parameters))),
    }));
  }

  /** The program goes as soon as it is not needed: training wants the memory. */
  async #embedded<T>(use: (embedder: WeightedEmbedder) => Promise<T>): Promise<T> {
    const embedder = await WeightedEmbedder.compile(this.#encoder, this.#options);
    try {
      return await use(embedder);
    } finally {
      await embedder.dispose();
    }
  }

  async #attacked(parameters: Parameters): Promise<Float32Array> {
    const { imageSize, name } = this.#encoder;
    const { epsilon, seed, batch, ...options } = this.#options;
    const attack = pgd({ epsilon, steps: attackSteps, loss: "embedding-l2" });
    const target = embeddingDistance((pixels) => trainableEmbedding(this.#encoder, pixels), "embedding-l2");
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
  const center = meanRow(original, size);
  const [originals, rows] = [unitRows(original, size, center), unitRows(moved, size, center)];
  const cosine = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0);
  return rows.map((row, i) => {
    const own = cosine(row, originals[i]!);
    return originals.every((other, j) => j === i || own > cosine(row, other));
  });
}
