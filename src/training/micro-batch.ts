import { flops, Graph, productsOf } from "../graph/index.ts";
import { type Encoder, trainableWeights } from "../models/index.ts";
import type { Objective } from "../objectives/index.ts";
import type { Device } from "../runtime/index.ts";

/** Images that go through the encoder at a time. */
export interface MicroBatches {
  /** In attack steps, and where the original embeds. */
  readonly microBatch: number;
  /** In the optimiser's steps, whose program keeps most. */
  readonly primalMicroBatch: number;
}

/** One size for all. */
export function sameMicroBatches(images: number): MicroBatches {
  return { microBatch: images, primalMicroBatch: images };
}

/** As told, but no more than the batch; the usual ones where nothing is told. */
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
 * Rows that a matrix product's weight meets in one pass. With many fewer, bringing the weight into the cache is what takes
 * time; with more, activations between the products do not fit there. docs/PERFORMANCE.md has the measurement.
 */
const rowsThatPay = 1800;

/**
 * The same in an optimiser's step, whose program keeps what its backward pass reads of clean and perturbed images: twice as
 * many take twice that memory, for 0 to 10 % less time of its program.
 */
const rowsKept = 1050;

/**
 * Images that go through the encoder at a time unless told otherwise. On CPU about as many as make its products efficient,
 * in parts of one size that leave the fewest places of the last one empty: more take more memory and no less time. On a GPU
 * the batch.
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
  const most = Math.max(1, Math.floor(limit));
  const fewest = Math.ceil(batch / most);
  const sizes = Array.from({ length: fewest }, (_, more) => Math.ceil(batch / (fewest + more)));
  const empty = (size: number): number => Math.ceil(batch / size) * size - batch;
  return sizes.reduce((best, size) => (empty(size) < empty(best) ? size : best));
}

/** Rows that one image brings to a weight, the median over the operations: a vision transformer's number of tokens. */
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
