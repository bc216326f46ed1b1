/** Embeddings with their classes. */
export interface Labelled {
  /** [n, size], row-major */
  readonly embeddings: Float32Array;
  /** [n], each in [0, classes) */
  readonly labels: Int32Array;
  readonly size: number;
}

/** Some of the images, in this order. */
export function pick({ embeddings, labels, size }: Labelled, images: readonly number[]): Labelled {
  const picked = new Float32Array(images.length * size);
  for (const [place, i] of images.entries()) picked.set(embeddings.subarray(i * size, (i + 1) * size), place * size);
  return { embeddings: picked, labels: Int32Array.from(images, (i) => labels[i]!), size };
}

/** Share of predictions that are the labels. */
export function accuracyOf(predictions: ArrayLike<number>, labels: Int32Array): number {
  return labels.reduce((sum, label, i) => sum + (predictions[i] === label ? 1 : 0), 0) / labels.length;
}
