import { changeHsv } from "./colour.ts";
import { drawnFrost } from "./frost.ts";
import { motionBlur } from "./motion.ts";
import type { Settings } from "./parameters.ts";
import { clip, eachPlane } from "./planes.ts";
import { plasmaFractal } from "./plasma.ts";
import type { FrostTexture, Generator, Subject } from "./subject.ts";
import { zoomed } from "./zoom.ts";

/** Noise enlarged to flakes, the faint ones dropped, blown by the wind from both sides, over a greyed image. */
export const snow: Generator<Settings["snow"]> = ({ image, size, random }, settings) => {
  const [mean, deviation, zoom, threshold, radius, sigma, imageWeight] = settings;
  const area = size * size;
  const noise = new Float32Array(area).map(() => mean + deviation * random.normal());
  // To 8 bits, downwards, as published.
  const flakes = zoomed(noise, size, zoom).map((x) => (x < threshold ? 0 : Math.floor(clip(x) * 255) / 255));
  const angle = random.uniform(-135, -45);
  const blown = motionBlur(flakes, size, { radius, sigma, angle });
  return eachPlane(image, (plane) =>
    plane.map((x, i) => {
      const gray = 0.299 * image[i]! + 0.587 * image[area + i]! + 0.114 * image[2 * area + i]!;
      const greyed = imageWeight * x + (1 - imageWeight) * Math.max(x, 1.5 * gray + 0.5);
      return greyed + blown[i]! + blown[area - 1 - i]!;
    }),
  );
};

export const fog: Generator<Settings["fog"]> = ({ image, size, random }, [weight, decay]) => {
  const brightest = image.reduce((max, x) => Math.max(max, x), 0);
  const mist = plasmaFractal(size, decay, random);
  return eachPlane(image, (plane) => plane.map((x, i) => ((x + weight * mist[i]!) * brightest) / (brightest + weight)));
};

export const frost: Generator<Settings["frost"]> = (subject, [imageWeight, frostWeight]) => {
  const { image, size } = subject;
  const { width, height, pixels, top, left } = frostOver(subject);
  return eachPlane(image, (plane, channel) =>
    plane.map((x, i) => {
      const y = channel * height + top + Math.floor(i / size);
      return imageWeight * x + frostWeight * pixels[y * width + left + (i % size)]!;
    }),
  );
};

function frostOver({ size, random, frost: textures = [] }: Subject): FrostTexture & { top: number; left: number } {
  if (textures.length === 0) return { ...drawnFrost(size, random), top: 0, left: 0 };
  const texture = random.pick(textures);
  const { width, height } = texture;
  // As published, never the last position unless it is the only one.
  const top = random.below(Math.max(height - size, 1));
  return { ...texture, top, left: random.below(Math.max(width - size, 1)) };
}

export const brightness: Generator<Settings["brightness"]> = ({ image }, added) =>
  changeHsv(image, ([hue, saturation, value]) => [hue, saturation, clip(value + added)]);
