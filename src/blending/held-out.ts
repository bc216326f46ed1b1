import { balancedSubset, type ImageSource, openBatches } from "../data/index.ts";
import { WeightedEmbedder } from "../inference/index.ts";
import type { Encoder, Parameters } from "../models/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { type Agreement, agreementOf, behaviourKept } from "./agreement.ts";

/** Images to train on and images to judge by, which training never sees. */
export interface Split {
  /** Indices into the source's items. */
  readonly trained: readonly number[];
  readonly heldOut: readonly number[];
}

/** Enough to tell shares a few points apart. */
const usualImages = 256;
/** Share held out instead of trained on, if the whole source is used. */
const largestShare = 0.1;

/**
 * Splits the source into its first `limit` images in balanced order and the `wanted` ones after them. If there are
 * fewer, a tenth of all is held out of training.
 *
 * @param wanted images to hold out. Default 256
 */
export function holdOut(source: ImageSource, limit: number, seed: number, wanted = usualImages): Split {
  const order = balancedSubset(source, Math.min(limit + wanted, source.items.length), seed);
  const spare = order.length - Math.min(limit, order.length);
  const heldOut = Math.max(spare, Math.min(wanted, Math.floor(largestShare * order.length)));
  return { trained: order.slice(0, order.length - heldOut), heldOut: order.slice(order.length - heldOut) };
}

export interface HeldOutOptions extends CompileOptions {
  /** Images a program takes at a time. */
  readonly batch: number;
}

/** How much of the original's behaviour other weights keep. */
export interface Fidelity {
  /** The share of the original's clean behaviour that is kept; see `behaviourKept`. */
  readonly kept: number;
  readonly agreement: Agreement;
}

/** Clean images unseen in training, with the original's embeddings. Measures how much of them other weights keep. */
export class HeldOutImages {
  readonly count: number;
  readonly #encoder: Encoder;
  readonly #pixels: Uint8Array;
  readonly #embedder: WeightedEmbedder;
  #original: Float32Array = new Float32Array();
  #shifted: Agreement | undefined;

  private constructor(encoder: Encoder, pixels: Uint8Array, embedder: WeightedEmbedder) {
    this.#encoder = encoder;
    this.#pixels = pixels;
    this.#embedder = embedder;
    this.count = pixels.length / (3 * encoder.imageSize ** 2);
  }

  /**
   * Reads the images; those that cannot be read are left out.
   *
   * @param original the encoder that others are compared with
   */
  static async open(
    original: Encoder,
    source: ImageSource,
    indices: readonly number[],
    { batch, ...options }: HeldOutOptions,
  ): Promise<HeldOutImages> {
    const { imageSize: size } = original;
    // In 8 bits, as in the files: a quarter of the memory.
    const pixels = new Uint8Array(indices.length * 3 * size ** 2);
    let filled = 0;
    for await (const read of openBatches(source, { order: indices, framing: original.framing, batch })) {
      for (const [i, x] of read.pixels.entries()) pixels[filled + i] = Math.round(255 * x);
      filled += read.pixels.length;
    }
    const embedder = await WeightedEmbedder.compile(original, { batch, ...options });
    const images = new HeldOutImages(original, pixels.subarray(0, filled), embedder);
    images.#original = await images.#embed(original.parameters);
    images.#shifted = images.#agreement(await images.#embed(original.parameters, Math.max(1, Math.round(size / 16))));
    return images;
  }

  /** How much of the original the same encoder with other weights keeps. */
  async fidelity(parameters: Parameters): Promise<Fidelity> {
    const agreement = this.#agreement(await this.#embed(parameters));
    return { kept: behaviourKept(agreement, this.#shifted!), agreement };
  }

  #agreement(embeddings: Float32Array): Agreement {
    return agreementOf(this.#original, embeddings, this.#encoder.embeddingSize);
  }

  /**
   * Embeddings of all images under the weights, [count, embeddingSize].
   *
   * @param shift number of pixels by which images are shifted to the left, with the right edge repeated
   */
  #embed(parameters: Parameters, shift = 0): Promise<Float32Array> {
    const { imageSize } = this.#encoder;
    const length = 3 * imageSize ** 2;
    return this.#embedder.embedEach(parameters, this.count, (image, into) => {
      const bytes = this.#pixels.subarray(image * length, (image + 1) * length);
      for (let i = 0; i < length; i++) {
        const column = i % imageSize;
        into[i] = bytes[i - column + Math.min(column + shift, imageSize - 1)]! / 255;
      }
    });
  }

  async dispose(): Promise<void> {
    await this.#embedder.dispose();
  }
}
