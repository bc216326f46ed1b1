import { readFileSync } from "node:fs";
import type { Corruption, Severity } from "../corruptions/index.ts";

/**
 * Result of the published code (github.com/hendrycks/robustness, commit 8190fe3: make_cifar_c.py, make_tinyimagenet_c.py,
 * make_imagenet_c.py) on `corruptiblePattern`. It ran with scipy, scikit-image, OpenCV 4.10, Pillow and ImageMagick from
 * Debian 13. numpy's random numbers were replaced, in order, by those that `corrupt` draws for seed 7 and image 0
 * (Poisson numbers by scipy's inverse distribution function of the same uniform numbers).
 */
export interface PublishedCorruptions {
  readonly severities: readonly Severity[];
  /** One entry a severity, in 0 ... 255: the image's mean, then the values at `sampledPositions`. */
  readonly values: Readonly<Record<Corruption, readonly (readonly number[])[]>>;
}

export const publishedCorruptions = JSON.parse(
  readFileSync(new URL("./published-corruptions.json", import.meta.url), "utf8"),
) as Readonly<Record<"32" | "64" | "224", PublishedCorruptions>>;

/** Indices into an image [3, size, size], spread over channels, rows and columns. */
export function sampledPositions(size: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, k) => Math.floor((k * 3 * size * size) / count) + ((k * 37) % size));
}

/** Waves of several lengths and directions, in 8 bits: [3, size, size] in [0, 1]. */
export function corruptiblePattern(size: number): Float32Array {
  const area = size * size;
  return Float32Array.from({ length: 3 * area }, (_, i) => {
    const [c, y, x] = [Math.floor(i / area), Math.floor(i / size) % size, i % size];
    const wave = Math.sin(0.35 * x * (c + 1) + 0.5 * y) * Math.cos(0.2 * y * (3 - c) - 0.1 * x);
    return Math.round(127.5 + 127.5 * wave) / 255;
  });
}
