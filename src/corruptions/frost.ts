import { existsSync, readFileSync } from "node:fs";
import sharp from "sharp";
import { UsageError } from "../errors.ts";
import { refuseLfsPointer } from "../lfs.ts";
import type { RandomStream } from "../random.ts";
import { motionBlur } from "./motion.ts";
import { parametersFor } from "./parameters.ts";
import { plasmaFractal } from "./plasma.ts";
import type { FrostTexture } from "./subject.ts";

/** The published textures. There is a sixth, frost6.jpg, that the published code never takes. */
export const frostFiles = ["frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg"] as const;

/**
 * The published frost textures, at the scale of images of a size.
 *
 * @param folder with frost1.png, frost2.png, frost3.png, frost4.jpg and frost5.jpg of github.com/hendrycks/robustness
 * @throws UsageError when one of them is missing or no image
 */
export async function openFrost(folder: string, size: number): Promise<readonly FrostTexture[]> {
  const textures: FrostTexture[] = [];
  for (const file of frostFiles) textures.push(await readTexture(`${folder}/${file}`, size));
  return textures;
}

async function readTexture(path: string, size: number): Promise<FrostTexture> {
  if (existsSync(path)) refuseLfsPointer(readFileSync(path), path);
  const read = sharp(path, { ignoreIcc: true }).toColourspace("srgb").removeAlpha().raw();
  const { data, info } = await read.toBuffer({ resolveWithObject: true }).catch((cause: unknown) => {
    throw new UsageError(
      `${path} is missing or no image; a folder of frost textures holds ${frostFiles.join(", ")}, as github.com/hendrycks/robustness has them.`,
      { cause },
    );
  });
  // Larger than published only where the texture would not cover the image.
  const scale = Math.max(parametersFor(size).frostScale, (size + 1) / Math.min(info.width, info.height));
  return scaled(data, { width: info.width, height: info.height }, scale);
}

/** Linear interpolation between pixel centres, without smoothing first: OpenCV's default, as published. */
function scaled(
  rgb: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
  scale: number,
): FrostTexture {
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  const columns = taps(width, wide, 1 / scale);
  const rows = taps(height, high, 1 / scale);
  const pixels = new Float32Array(3 * wide * high);
  for (let c = 0; c < 3; c++)
    for (const [y, row] of rows.entries())
      for (const [x, column] of columns.entries()) {
        const value = (v: number, u: number): number => rgb[(v * width + u) * 3 + c]!;
        const above = value(row.low, column.low) * (1 - column.share) + value(row.low, column.high) * column.share;
        const below = value(row.high, column.low) * (1 - column.share) + value(row.high, column.high) * column.share;
        pixels[(c * high + y) * wide + x] = Math.round(above * (1 - row.share) + below * row.share) / 255;
      }
  return { width: wide, height: high, pixels };
}

function taps(from: number, to: number, step: number) {
  return Array.from({ length: to }, (_, i) => {
    const position = Math.min(Math.max((i + 0.5) * step - 0.5, 0), from - 1);
    const low = Math.floor(position);
    return { low, high: Math.min(low + 1, from - 1), share: position - low };
  });
}

/** Colours of the thinnest and the thickest ice. */
const [thin, thick] = [
  [0.2, 0.34, 0.4],
  [0.9, 0.97, 1],
] as const;

/**
 * A generated ice texture: clouds of a plasma fractal, and needles that grow in random directions. Its mean (about
 * 0.55) and spread (about 0.1) are within those of the published textures.
 */
export function drawnFrost(size: number, random: RandomStream): FrostTexture {
  const clouds = plasmaFractal(size, 1.6, random);
  const needles = new Float32Array(size * size);
  for (let direction = 0; direction < 7; direction++) {
    const seeds = new Float32Array(size * size).map(() => (random.uniform() < 0.006 ? random.uniform() : 0));
    const length = Math.max(size / 20, 2);
    const grown = motionBlur(seeds, size, { radius: 2 * length, sigma: length, angle: random.uniform(0, 360) });
    for (let i = 0; i < needles.length; i++) needles[i]! += grown[i]! * length;
  }
  const pixels = new Float32Array(3 * size * size);
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < needles.length; i++) {
      const ice = Math.min(0.5 * clouds[i]! + 0.5 * needles[i]!, 1);
      pixels[c * needles.length + i] = thin[c]! + ice * (thick[c]! - thin[c]!);
    }
  return { width: size, height: size, pixels };
}
