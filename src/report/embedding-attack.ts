import { distance } from "../attacks/index.ts";
import type { MovedEmbedding } from "../measure/embedding-attack/index.ts";
import { amplifiedDifference, galleryPng } from "./gallery.ts";
import { textTable } from "./table.ts";

/** One attacked image. */
export interface AttackedImage extends MovedEmbedding {
  readonly image: string;
  /** The encoder's prediction, where it names images. */
  readonly prediction?: { readonly before: string; readonly after: string };
}

/** A line an image: how far its embedding moved, and what it is taken for. */
export function embeddingAttackTable(images: readonly AttackedImage[]): string {
  const towards = images.some(({ toReference }) => toReference);
  const named = images.some(({ prediction }) => prediction);
  const header = [
    "image",
    "cosine to clean",
    ...(towards ? ["cosine to target"] : []),
    ...(named ? ["prediction"] : []),
  ];
  const rows = images.map(({ image, toClean, toReference, prediction }) => [
    image,
    toClean.cosine.toFixed(3),
    ...(toReference ? [`${toReference.before.cosine.toFixed(3)} -> ${toReference.after.cosine.toFixed(3)}`] : []),
    ...(prediction ? [`${prediction.before} -> ${prediction.after}`] : []),
  ]);
  return textTable(header, rows);
}

export interface AttackGallery {
  /** Side of the images in pixels. */
  readonly size: number;
  /** [count, 3, size, size] in [0, 1] */
  readonly clean: Float32Array;
  readonly perturbed: Float32Array;
  /** Columns at most, the first images. */
  readonly columns: number;
}

/** A PNG: originals, perturbed images, and their differences, the largest of which is black or white. */
export function attackGallery({ size, columns, ...images }: AttackGallery): Promise<Buffer> {
  const length = 3 * size * size;
  const count = Math.min(columns, images.clean.length / length);
  const split = (pixels: Float32Array) =>
    Array.from({ length: count }, (_, i) => pixels.subarray(i * length, (i + 1) * length));
  const [clean, perturbed] = [split(images.clean), split(images.perturbed)];
  const largest = perturbed.reduce((most, image, i) => Math.max(most, distance("linf", image, clean[i]!)), 0);
  // Where nothing changed, any scale shows that.
  const scale = largest || 1;
  return galleryPng({
    size,
    rows: [clean, perturbed, perturbed.map((image, i) => amplifiedDifference(image, clean[i]!, scale))],
  });
}
