import { flops, Graph, productsOf } from "../graph/index.ts";
import { type Encoder, trainableWeights } from "../models/index.ts";
import type { Objective } from "../objectives/index.ts";
import type { Device } from "../runtime/index.ts";

/** Images that go through the encoder at a time. */
export interface MicroBatches {
  /** Images at a time in attack steps, and for the original's embeddings. */
  readonly microBatch: number;
  /** Images at a time in the optimiser's steps, whose program needs most memory. */
  readonly primalMicroBatch: number;
}

/** One size for all. */
export function sameMicroBatches(images: number): MicroBatches {
  return { microBatch: images, primalMicroBatch: images };
}

/** The given micro-batches, limited to the batch, or the default ones. */
export function chosenMicroBatches(
  encoder: Encoder,
  objective: Objective,
  {
    batch,
    microBatch,
    device,
  }: { readonly batch: number; readonly microBatch?: number | undefined; readonly device?: Device },
): MicroBatches {
  if (microBatch === undefined) return usualMicroBatches(encoder, objective, batch, device);
  return sameMicroBatches(Math.min(microBatch, batch));
}

/**
 * Rows per weight in one pass of a matrix product. With many fewer, loading the weight into the cache dominates. With
 * more, activations between the products do not fit into the cache. docs/lab/SPEED.md has the measurement.
 */
const rowsThatPay = 1800;

/**
 * The same in an optimiser's step. Its program keeps activations of clean and perturbed images for the backward pass:
 * twice as many rows take twice that memory, for 0 to 10 % less time.
 */
const rowsKept = 1050;

/**
 * Default micro-batches. On CPU about as many images as make products efficient, in parts of one size with the least
 * padding in the last; more images take more memory and no less time. On a GPU the whole batch.
 */
export function usualMicroBatches(
  encoder: Encoder,
  { constraint }: Objective,
  batch: number,
  device: Device = "cpu",
): MicroBatches {
  if (device !== "cpu") return sameMicroBatches(batch);
  const rows = rowsOf(encoder);
  const microBatch = evenPart(batch, rowsThatPay / rows);
  const primalMicroBatch = Math.min(microBatch, evenPart(batch, rowsKept / (constraint ? 2 * rows : rows)));
  return { microBatch, primalMicroBatch };
}

function evenPart(batch: number, limit: number): number {
  const max = Math.max(1, Math.floor(limit));
  const fewest = Math.ceil(batch / max);
  const sizes = Array.from({ length: fewest }, (_, more) => Math.ceil(batch / (fewest + more)));
  const empty = (size: number): number => Math.ceil(batch / size) * size - batch;
  return sizes.reduce((best, size) => (empty(size) < empty(best) ? size : best));
}

/** Rows per image of a product with a weight, the median over products: a vision transformer's number of tokens. */
function rowsOf(encoder: Encoder): number {
  const g = new Graph();
  const pixels = g.input("pixels", "float32", [1, 3, encoder.imageSize, encoder.imageSize]);
  const weights = trainableWeights(g, encoder.parameters);
  // As it is written, before passes: they leave the last block few rows, and turn some of its products by weights to stacks.
  const products = productsOf([encoder.embedNormalized(pixels, (name) => weights.get(name)!)]);
  // Stacks of products are attention's, of one image's tokens with each other.
  const withWeights = products.filter(({ batch }) => batch === 1).sort((a, b) => a.m - b.m);
  let left = withWeights.reduce((sum, product) => sum + flops(product), 0) / 2;
  for (const product of withWeights) {
    left -= flops(product);
    if (left <= 0) return product.m;
  }
  return 1;
}
