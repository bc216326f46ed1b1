import sharp from "sharp";
import { changeHsv } from "./colour.ts";
import { elasticTransform } from "./elastic.ts";
import type { Settings } from "./parameters.ts";
import { clip, eachPlane } from "./planes.ts";
import type { Generator } from "./subject.ts";

export const elastic: Generator<Settings["elastic_transform"]> = elasticTransform;

export const contrast: Generator<Settings["contrast"]> = ({ image }, factor) =>
  eachPlane(image, (plane) => {
    const mean = plane.reduce((sum, x) => sum + x, 0) / plane.length;
    return plane.map((x) => (x - mean) * factor + mean);
  });

export const saturate: Generator<Settings["saturate"]> = ({ image }, [factor, offset]) =>
  changeHsv(image, ([hue, saturation, value]) => [hue, clip(saturation * factor + offset), value]);

/** Shrinks by box averaging, then enlarges again. */
export const pixelate: Generator<Settings["pixelate"]> = ({ image, size }, factor) => {
  const small = Math.max(Math.trunc(size * factor), 1);
  return eachPlane(image, (plane) => boxResized(boxResized(plane, size, small), small, size));
};

/** Pillow's resize with its box filter, from its definition; both passes along rows, turning the plane in between. */
function boxResized(plane: Float32Array, from: number, to: number): Float32Array {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const taps = Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(center - 0.5 * stretch + 0.5), 0);
    const end = Math.min(Math.trunc(center + 0.5 * stretch + 0.5), from);
    const all = Array.from({ length: end - start }, (_, tap) => start + tap);
    return all.filter((j) => {
      const distance = (j - center + 0.5) / stretch;
      return distance > -0.5 && distance <= 0.5;
    });
  });
  const turned = (source: Float32Array, rows: number): Float32Array => {
    const result = new Float32Array(rows * to);
    for (let y = 0; y < rows; y++)
      for (const [i, at] of taps.entries()) {
        let sum = 0;
        for (const x of at) sum += source[y * from + x]!;
        result[i * rows + y] = sum / at.length;
      }
    return result;
  };
  return turned(turned(plane, from), to);
}

/** Encodes as JPEG and decodes again: baseline, chroma at half the resolution. */
export const jpeg: Generator<Settings["jpeg_compression"]> = async ({ image, size }, quality) => {
  const area = size * size;
  const bytes = new Uint8Array(3 * area);
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < area; i++) bytes[i * 3 + c] = Math.round(clip(image[c * area + i]!) * 255);
  const raw = { width: size, height: size, channels: 3 } as const;
  const file = await sharp(bytes, { raw }).jpeg({ quality, chromaSubsampling: "4:2:0" }).toBuffer();
  const decoded = await sharp(file).raw().toBuffer();
  return Float32Array.from(image, (_, i) => decoded[(i % area) * 3 + Math.floor(i / area)]! / 255);
};
