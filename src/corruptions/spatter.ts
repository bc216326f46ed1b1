import { distanceToEdges, edges, equalized } from "./edges.ts";
import { boxFilter, correlate, gaussianFilter, type Kernel } from "./filters.ts";
import type { Settings } from "./parameters.ts";
import { clip, eachPlane } from "./planes.ts";
import type { Generator } from "./subject.ts";

/** Pale turquoise. */
const water = [175 / 255, 238 / 255, 238 / 255] as const;
const mud = [63 / 255, 42 / 255, 20 / 255] as const;

/** Light from the upper left. */
const emboss: Kernel = { side: 3, weights: Float64Array.of(-2, -1, 0, -1, 1, 1, 0, 1, 2) };

/** Drops of water, or stains of mud: smoothed noise above a threshold. */
export const spatter: Generator<Settings["spatter"]> = ({ image, size, random }, settings) => {
  const [mean, deviation, sigma, threshold, strength, muddy] = settings;
  const noise = new Float32Array(size * size).map(() => mean + deviation * random.normal());
  const liquid = gaussianFilter(noise, size, sigma).map((x) => (x < threshold ? 0 : x));
  if (!muddy) {
    const drops = waterMask(liquid, size).map((m) => m * strength);
    return eachPlane(image, (plane, channel) => plane.map((x, i) => x + drops[i]! * water[channel]!));
  }
  const stains = liquid.map((x) => Number(x > threshold));
  const mask = gaussianFilter(stains, size, strength).map((m) => (m < 0.8 ? 0 : m));
  return eachPlane(image, (plane, channel) => plane.map((x, i) => x * (1 - mask[i]!) + mask[i]! * mud[channel]!));
};

/** How bright the drops are, 1 at the brightest place; in 8 bits from step to step, as published. */
function waterMask(liquid: Float32Array, size: number): Float32Array {
  const bytes = liquid.map((x) => Math.floor(clip(x) * 255));
  const distance = distanceToEdges(edges(bytes, size, { low: 50, high: 150 }), size).map((d) => Math.min(d, 20));
  const depth = equalized(boxFilter(distance, size).map(Math.floor));
  const lit = correlate(depth, size, emboss).map((x) => clip(x, 0, 255));
  const shading = boxFilter(lit, size).map(Math.round);
  const mask = bytes.map((x, i) => x * shading[i]!);
  const brightest = mask.reduce((max, x) => Math.max(max, x), 0);
  return brightest > 0 ? mask.map((x) => x / brightest) : mask;
}
