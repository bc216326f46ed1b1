import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { corruptiblePattern, publishedCorruptions, sampledPositions } from "../testing/published-corruptions.ts";
import { corrupt, withNoise } from "./corrupt.ts";
import { openFrost } from "./frost.ts";
import { allCorruptions, type Corruption } from "./names.ts";
import { parametersFor } from "./parameters.ts";

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

const textures = join(import.meta.dirname, "../../../shared/data/corruptions/frost");

it.each([32, 64, 224] as const)("every corruption at %i pixels is the published code's", async (size) => {
  const image = corruptiblePattern(size);
  const { severities, values } = publishedCorruptions[size];
  const frost = existsSync(textures) ? await openFrost(textures, size) : undefined;
  for (const corruption of allCorruptions) {
    // The textures do not come with the project.
    if (corruption === "frost" && !frost) continue;
    for (const [i, severity] of severities.entries()) {
      const [mean, ...pixels] = values[corruption][i]!;
      const found = await corrupt(image, { corruption, severity, size, ...(frost && { frost }) }, 7);
      const tolerance = levels[corruption] ?? 0.01;
      const average = (255 * found.reduce((sum, x) => sum + x, 0)) / found.length;
      expect(Math.abs(average - mean!), `${corruption} ${severity}: mean`).toBeLessThanOrEqual(tolerance);
      for (const [k, position] of sampledPositions(size, pixels.length).entries())
        expect(
          Math.abs(255 * found[position]! - pixels[k]!),
          `${corruption} ${severity} at ${position}`,
        ).toBeLessThanOrEqual(tolerance);
    }
  }
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
