import type { View } from "../measure/interpretability/index.ts";
import { galleryPng } from "./gallery.ts";

/** A picture as it will be kept. */
export interface DrawnPicture {
  readonly name: "saliency" | "synthesis";
  readonly png: Buffer;
  /** Text in place of the picture, for those who cannot see it. */
  readonly description: string;
}

/** Saliency maps, a row an image: the image, then a column an encoder. White is strong, each map by its own strongest 1 %. */
export async function saliencyPicture(views: readonly View[], encoders: readonly string[]): Promise<DrawnPicture> {
  const size = largest(views);
  const [first] = views;
  const rows = first!.images.map((image, i) => [
    enlarged(image, first!.imageSize, size),
    ...views.map(({ maps, imageSize }) => enlarged(grey(maps[i]!), imageSize, size)),
  ]);
  return {
    name: "saliency",
    png: await galleryPng({ size, rows }),
    description:
      `Saliency maps. Rows: ${first!.names.join("; ")}. Columns: the image; ` +
      `${encoders.join("; ")}. White pixels change the similarity with the image's class most.`,
  };
}

/** Synthesised images: a row a text, a column an encoder. */
export async function synthesisPicture(
  views: readonly View[],
  encoders: readonly string[],
  towards: readonly string[],
): Promise<DrawnPicture> {
  const size = largest(views);
  const rows = towards.map((_, i) =>
    views.map(({ synthesized, imageSize }) => enlarged(synthesized[i]!, imageSize, size)),
  );
  return {
    name: "synthesis",
    png: await galleryPng({ size, rows }),
    description:
      `Images made from grey by gradient ascent towards a text. Rows: ${towards.map((text) => `"${text}"`).join("; ")}. ` +
      `Columns: ${encoders.join("; ")}.`,
  };
}

function largest(views: readonly View[]): number {
  return Math.max(...views.map(({ imageSize }) => imageSize));
}

/** A map as an image of three equal planes; its 99 % quantile is white. */
function grey(map: Float32Array): Float32Array {
  const white = Math.max(map.slice().sort()[Math.floor(0.99 * (map.length - 1))]!, 1e-30);
  return new Float32Array(3 * map.length).map((_, i) => Math.min(map[i % map.length]! / white, 1));
}

/** [3, from, from] as [3, to, to], each pixel the nearest. */
function enlarged(image: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return image;
  const nearest = (at: number): number => Math.floor(((at + 0.5) * from) / to);
  return new Float32Array(3 * to * to).map((_, i) => {
    const [plane, y, x] = [Math.floor(i / to ** 2), Math.floor((i % to ** 2) / to), i % to];
    return image[plane * from ** 2 + nearest(y) * from + nearest(x)]!;
  });
}
