import { UsageError } from "../errors.ts";
import { type RandomStream, randomStream } from "../random.ts";
import { defocusBlur, gaussianBlur, glassBlur, motion, zoomBlur } from "./blur.ts";
import { contrast, elastic, jpeg, pixelate, saturate } from "./digital.ts";
import { allCorruptions, type Corruption, isCorruption, isSeverity, type Severity } from "./names.ts";
import { gaussianNoise, impulseNoise, shotNoise, speckleNoise } from "./noise.ts";
import { parametersFor, type Settings } from "./parameters.ts";
import { clip } from "./planes.ts";
import { spatter } from "./spatter.ts";
import type { FrostTexture, Generator } from "./subject.ts";
import { brightness, fog, frost, snow } from "./weather.ts";

const generators: { readonly [Name in Corruption]: Generator<Settings[Name]> } = {
  gaussian_noise: gaussianNoise,
  shot_noise: shotNoise,
  impulse_noise: impulseNoise,
  defocus_blur: defocusBlur,
  glass_blur: glassBlur,
  motion_blur: motion,
  zoom_blur: zoomBlur,
  snow,
  frost,
  fog,
  brightness,
  contrast,
  elastic_transform: elastic,
  pixelate,
  jpeg_compression: jpeg,
  speckle_noise: speckleNoise,
  gaussian_blur: gaussianBlur,
  spatter,
  saturate,
};

export interface CorruptOptions {
  readonly corruption: Corruption;
  readonly severity: Severity;
  /** Side of the image in pixels. */
  readonly size: number;
  /** The image's place in its data: images of one seed are corrupted independently. Default 0. */
  readonly index?: number;
  /** From `openFrost`, for the same size. Without them frost is drawn, which compares with no published figure. */
  readonly frost?: readonly FrostTexture[];
}

/**
 * An image under one of the common corruptions of Hendrycks and Dietterich (2019), by the definitions that made CIFAR-10-C,
 * Tiny-ImageNet-C and ImageNet-C, with the parameters of the one whose images are nearest in size. Unlike theirs, the
 * result is neither rounded to 8 bits nor stored as JPEG. The same image, options and seed give the same result.
 *
 * @param image float32 [3, size, size] in [0, 1]
 * @returns a new array of the same shape and range
 * @throws UsageError when the image is of another size, or the corruption or severity unknown
 */
export async function corrupt(image: Float32Array, options: CorruptOptions, seed: number): Promise<Float32Array> {
  const { corruption, severity, index = 0 } = options;
  return corruptWith(image, options, randomStream("corruption", seed, index, corruption, severity));
}

/** The same with the caller's random numbers. */
export async function corruptWith(
  image: Float32Array,
  { corruption, severity, size, frost }: CorruptOptions,
  random: RandomStream,
): Promise<Float32Array> {
  check(image, corruption, severity, size);
  const corrupted = await generate(corruption, severity, { image, size, random, frost });
  return corrupted.map((x) => clip(x));
}

function generate<Name extends Corruption>(
  corruption: Name,
  severity: Severity,
  subject: Parameters<Generator<unknown>>[0],
): Float32Array | Promise<Float32Array> {
  const settings = parametersFor(subject.size).settings[corruption][severity - 1] as Settings[Name];
  return generators[corruption](subject, settings);
}

function check(image: Float32Array, corruption: string, severity: number, size: number): void {
  if (!isCorruption(corruption))
    throw new UsageError(`There is no corruption "${corruption}"; there are ${allCorruptions.join(", ")}.`);
  if (!isSeverity(severity)) throw new UsageError(`Severity ${severity} of ${corruption}: it must be 1, 2, 3, 4 or 5.`);
  if (image.length !== 3 * size * size)
    throw new UsageError(
      `${corruption}: the image has ${image.length} values, an image [3, ${size}, ${size}] has ${3 * size * size}.`,
    );
}

/**
 * An image with Gaussian noise, clipped to [0, 1]. For one image and seed, noise of any size differs only in scale.
 *
 * @param image [3, S, S] in [0, 1]
 * @param options.sigma standard deviation in pixel units of [0, 1]
 */
export function withNoise(
  image: Float32Array,
  { sigma, index = 0 }: { readonly sigma: number; readonly index?: number },
  seed: number,
): Float32Array {
  const random = randomStream("noise", seed, index);
  return image.map((x) => clip(x + sigma * random.normal()));
}
