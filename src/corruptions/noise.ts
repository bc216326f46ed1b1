import type { RandomStream } from "../random.ts";
import type { Settings } from "./parameters.ts";
import type { Generator } from "./subject.ts";

export const gaussianNoise: Generator<Settings["gaussian_noise"]> = ({ image, random }, deviation) =>
  image.map((x) => x + deviation * random.normal());

export const shotNoise: Generator<Settings["shot_noise"]> = ({ image, random }, photons) =>
  image.map((x) => poisson(x * photons, random) / photons);

/** Sets single values, not whole pixels, to 0 or 1. Channels are independent. */
export const impulseNoise: Generator<Settings["impulse_noise"]> = ({ image, random }, share) =>
  image.map((x) => {
    const hit = random.uniform() <= share;
    const salt = random.uniform() <= 0.5;
    return hit ? Number(salt) : x;
  });

export const speckleNoise: Generator<Settings["speckle_noise"]> = ({ image, random }, deviation) =>
  image.map((x) => x + x * deviation * random.normal());

/** Poisson by inversion: one uniform number, searched from 0 (means here are at most 500, where exp(-mean) is normal). */
export function poisson(mean: number, random: RandomStream): number {
  const target = random.uniform();
  let probability = Math.exp(-mean);
  let cumulative = probability;
  let count = 0;
  // Rounding may leave the sum short of 1. A vanishing probability ends the search.
  while (cumulative < target && (probability > 1e-17 || count < mean)) {
    count++;
    probability *= mean / count;
    cumulative += probability;
  }
  return count;
}
