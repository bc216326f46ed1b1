import { UsageError } from "../errors.ts";
import type { Encoder } from "../models/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { Forward, usualBatch } from "./forward.ts";
import { frozenEmbedding } from "./victim.ts";

export interface EmbedImagesOptions extends CompileOptions {
  /** Images a program takes at a time. Default 16. */
  readonly batch?: number;
}

/**
 * Embeddings of images, un-normalised: [count, embeddingSize], row-major.
 *
 * @param pixels [count, 3, S, S] in [0, 1], S the encoder's image size
 * @throws UsageError when the pixels do not fit the encoder, or what it gives is not finite
 *
 * @example
 * ```ts
 * import { embedImages, imageFolder, loadEncoder } from "lore-vision";
 * import { openBatches } from "lore-vision/data";
 *
 * const encoder = await loadEncoder("openai/clip-vit-base-patch32");
 * const photos = imageFolder("photos");
 * const order = [...photos.items.keys()];
 * for await (const { ids, pixels } of openBatches(photos, { framing: encoder.framing, batch: 16, order })) {
 *   const embeddings = await embedImages(encoder, pixels); // [ids.length, encoder.embeddingSize]
 *   console.log(ids, embeddings);
 * }
 * ```
 */
export async function embedImages(
  encoder: Encoder,
  pixels: Float32Array,
  options: EmbedImagesOptions = {},
): Promise<Float32Array> {
  const count = countImages(encoder, pixels);
  const forward = await compileEmbedder(encoder, count, options);
  try {
    return (await forward.run(pixels)).embeddings;
  } finally {
    await forward.dispose();
  }
}

/** The program behind `embedImages`, for this many images at most at a time. */
export function compileEmbedder(
  encoder: Encoder,
  count: number,
  { batch = usualBatch, ...options }: EmbedImagesOptions & { readonly nonZero?: readonly "embeddings"[] },
): Promise<Forward<"embeddings">> {
  const embed = frozenEmbedding(encoder);
  return Forward.compile((x) => ({ embeddings: embed(x) }), {
    ...options,
    encoder: encoder.name,
    imageSize: encoder.imageSize,
    batch: Math.max(1, Math.min(batch, count)),
  });
}

/** @throws UsageError when the pixels are not whole images of the encoder's size, or lie outside [0, 1] */
export function countImages({ imageSize }: Encoder, pixels: Float32Array): number {
  const count = pixels.length / (3 * imageSize ** 2);
  if (!Number.isInteger(count)) {
    throw new UsageError(
      `Pixels: ${pixels.length} values are no whole number of images [3, ${imageSize}, ${imageSize}].`,
    );
  }
  const outside = pixels.findIndex((x) => !(x >= 0 && x <= 1));
  if (outside === -1) return count;
  throw new UsageError(
    `Pixels: ${pixels[outside]} at ${outside} is outside [0, 1]; the encoder normalises by itself, give pixels as they are.`,
  );
}
