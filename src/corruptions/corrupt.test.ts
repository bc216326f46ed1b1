import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import { corruptiblePattern, publishedCorruptions, sampledPositions } from "../testing/published-corruptions.ts";
import { corrupt, withNoise } from "./corrupt.ts";
import { drawnFrost, openFrost } from "./frost.ts";
import { allCorruptions, type Corruption } from "./names.ts";
import { parametersFor } from "./parameters.ts";
import type { FrostTexture } from "./subject.ts";

/*
 * Levels of 255 by which a pixel may differ from the published code's. Floating point alone: 0.01, half of the fixture's
 * last digit and some rounding. Where the published code stores 8 bits on the way and `corrupt` does not: one level a time
 * (motion blur's and pixelate's result; both layers of snow). Rounding downwards to 8 bits can go the other way in float32
 * (glass blur). OpenCV moves the elastic transform's pixels by multiples of 1/32 pixel, half of which, on the pattern's
 * steepest slopes (about 110 levels a pixel along each axis), is 3.4 levels. It resizes frost in integers: a level, of
 * which at most 0.75 shows.
 */
const levels: Partial<Record<Corruption, number>> = {
  motion_blur: 1,
  glass_blur: 1,
  pixelate: 1,
  snow: 2,
  frost: 0.75,
  elastic_transform: 3.4,
};

/** Checks that the values of a corrupted image and their mean are the published ones. */
async function expectPublished(size: 32 | 64 | 224, corruption: Corruption, frost?: readonly FrostTexture[]) {
  const image = corruptiblePattern(size);
  const { severities, values } = publishedCorruptions[size];
  const tolerance = levels[corruption] ?? 0.01;
  for (const [i, severity] of severities.entries()) {
    const [mean, ...pixels] = values[corruption][i]!;
    const found = await corrupt(image, { corruption, severity, size, ...(frost && { frost }) }, 7);
    const average = (255 * found.reduce((sum, x) => sum + x, 0)) / found.length;
    expect(Math.abs(average - mean!), `${corruption} ${severity}: mean`).toBeLessThanOrEqual(tolerance);
    for (const [k, position] of sampledPositions(size, pixels.length).entries()) {
      const difference = Math.abs(255 * found[position]! - pixels[k]!);
      expect(difference, `${corruption} ${severity} at ${position}`).toBeLessThanOrEqual(tolerance);
    }
  }
}

it.each([32, 64, 224] as const)("every corruption but frost at %i pixels is the published code's", async (size) => {
  for (const corruption of allCorruptions) if (corruption !== "frost") await expectPublished(size, corruption);
});

/** The published textures, which do not come with the project. */
const textures = join(import.meta.dirname, "../../../shared/data/corruptions/frost");

it.runIf(existsSync(textures)).each([32, 64, 224] as const)(
  "frost by the published textures at %i pixels is the published code's (needs ../shared/data)",
  async (size) => expectPublished(size, "frost", await openFrost(textures, size)),
);

it("frost is a part of one texture, weighted, added to the weighted image", async () => {
  const [width, height, size] = [41, 37, 32];
  // Each pixel tells where it is.
  const pixels = Float32Array.from({ length: 3 * width * height }, (_, i) => i / (3 * width * height));
  const [imageWeight, frostWeight] = parametersFor(size).settings.frost[4];
  const dark = new Float32Array(3 * size * size).fill(0.1);
  const corners = new Set<number>();
  for (let index = 0; index < 20; index++) {
    const options = { corruption: "frost", severity: 5, size, index, frost: [{ width, height, pixels }] } as const;
    const found = await corrupt(dark, options, 0);
    const texture = found.map((x) => (x - imageWeight * 0.1) / frostWeight);
    const corner = Math.round(texture[0]! * pixels.length);
    corners.add(corner);
    const wrong = texture.findIndex((x, i) => {
      const [c, y] = [Math.floor(i / size ** 2), Math.floor(i / size) % size];
      const place = corner + (c * height + y) * width + (i % size);
      // Float32 rounds values below 1 to 2^-25, the weighted sum and the texture.
      return Math.abs(x - place / pixels.length) > 1e-6;
    });
    expect(wrong, `image ${index}`).toBe(-1);
  }
  expect(corners.size).toBeGreaterThan(10);
  for (const corner of corners) {
    expect(corner % width).toBeLessThan(width - size);
    expect(Math.floor(corner / width)).toBeLessThan(height - size);
  }
});

it.each([16, 224])("frost that is drawn has the mean and spread of the published textures (%i pixels)", (size) => {
  const { pixels } = drawnFrost(size, randomStream("frost", size));
  const mean = pixels.reduce((sum, x) => sum + x, 0) / pixels.length;
  const spread = Math.sqrt(pixels.reduce((sum, x) => sum + (x - mean) ** 2, 0) / pixels.length);
  // Of the five: means of 0.48 to 0.81, spreads (channels together) of 0.09 to 0.17.
  expect(mean).toBeGreaterThan(0.45);
  expect(mean).toBeLessThan(0.81);
  expect(spread).toBeGreaterThan(0.08);
  expect(spread).toBeLessThan(0.17);
  expect(pixels.every((x) => x >= 0 && x <= 1)).toBe(true);
});

const image = corruptiblePattern(32);

it("depends on seed, image, severity, and nothing else; never on other calls", async () => {
  for (const corruption of ["gaussian_noise", "elastic_transform", "frost"] as const) {
    const options = { corruption, severity: 3, size: 32 } as const;
    const first = await corrupt(image, options, 1);
    expect(await corrupt(image, options, 1)).toEqual(first);
    expect(await corrupt(image, options, 2)).not.toEqual(first);
    expect(await corrupt(image, { ...options, index: 1 }, 1)).not.toEqual(first);
    expect(await corrupt(image, { ...options, severity: 4 }, 1)).not.toEqual(first);
  }
});

it("stays in [0, 1] at sizes without a table of their own, on flat images too, and leaves the image as it was", async () => {
  for (const size of [7, 48, 50])
    for (const value of [0, 1]) {
      const flat = new Float32Array(3 * size * size).fill(value);
      for (const corruption of allCorruptions) {
        const found = await corrupt(flat, { corruption, severity: 5, size }, 0);
        const range = found.every((x) => x >= 0 && x <= 1);
        expect(range, `${corruption} at ${size} of ${value}`).toBe(true);
        expect(found.length).toBe(flat.length);
      }
      expect(flat.every((x) => x === value)).toBe(true);
    }
});

it("takes the table that is nearest in size", () => {
  const names = [8, 47, 49, 143, 145, 384].map((size) => parametersFor(size).name);
  expect(names).toEqual(["CIFAR-10-C", "CIFAR-10-C", "Tiny-ImageNet-C", "Tiny-ImageNet-C", "ImageNet-C", "ImageNet-C"]);
});

it("noise has its standard deviation, is clipped, and keeps its shape over sizes", () => {
  const gray = new Float32Array(3 * 64 * 64).fill(0.5);
  const small = withNoise(gray, { sigma: 8 / 255 }, 5);
  const deviation = Math.sqrt(small.reduce((sum, x) => sum + (x - 0.5) ** 2, 0) / gray.length);
  // The standard error of a standard deviation from n normal numbers is sigma / sqrt(2 n); five of them.
  expect(Math.abs(deviation - 8 / 255)).toBeLessThan((5 * 8) / 255 / Math.sqrt(2 * gray.length));
  const twice = withNoise(gray, { sigma: 16 / 255 }, 5);
  // Float32 rounds each of the two to 2^-24 of about 0.5.
  for (const [i, x] of twice.entries()) expect(Math.abs(x - 0.5 - 2 * (small[i]! - 0.5))).toBeLessThan(1e-6);
  const large = withNoise(gray, { sigma: 1 }, 5);
  expect([Math.min(...large), Math.max(...large)]).toEqual([0, 1]);
});

it("refuses an image of another size, an unknown corruption or severity, a folder without textures", async () => {
  const options = { corruption: "fog", severity: 1, size: 32 } as const;
  await expect(corrupt(image, { ...options, size: 64 }, 0)).rejects.toThrow(/3072 values.* has 12288/);
  await expect(corrupt(image, { ...options, corruption: "rain" as Corruption }, 0)).rejects.toThrow(/no corruption/);
  await expect(corrupt(image, { ...options, severity: 6 as 5 }, 0)).rejects.toThrow(/Severity 6/);
  await expect(openFrost(import.meta.dirname, 32)).rejects.toThrow(UsageError);
});
