import { correlate, diskKernel, gaussianFilter } from "./filters.ts";
import { motionBlur } from "./motion.ts";
import type { Settings } from "./parameters.ts";
import { eachPlane } from "./planes.ts";
import type { Generator } from "./subject.ts";
import { zoomed } from "./zoom.ts";

export const gaussianBlur: Generator<Settings["gaussian_blur"]> = ({ image, size }, sigma) =>
  eachPlane(image, (plane) => gaussianFilter(plane, size, sigma));

/**
 * Blurred, pixels copied from random places nearby, blurred again. The published code means to swap two pixels but, its
 * rows being views, copies one over the other; its images are the definition.
 */
export const glassBlur: Generator<Settings["glass_blur"]> = ({ image, size, random }, [sigma, reach, passes]) => {
  const blur = (plane: Float32Array): Float32Array => gaussianFilter(plane, size, sigma);
  // To 8 bits, downwards, as published.
  const glass = eachPlane(image, blur).map((x) => Math.floor(x * 255) / 255);
  const area = size * size;
  for (let pass = 0; pass < passes; pass++)
    for (let y = size - reach; y > reach; y--)
      for (let x = size - reach; x > reach; x--) {
        const dx = random.below(2 * reach) - reach;
        const dy = random.below(2 * reach) - reach;
        const [to, from] = [y * size + x, (y + dy) * size + x + dx];
        for (let c = 0; c < 3; c++) glass[c * area + to] = glass[c * area + from]!;
      }
  return eachPlane(glass, blur);
};

export const defocusBlur: Generator<Settings["defocus_blur"]> = ({ image, size }, [radius, smoothing]) => {
  const kernel = diskKernel(radius, smoothing);
  return eachPlane(image, (plane) => correlate(plane, size, kernel));
};

export const motion: Generator<Settings["motion_blur"]> = ({ image, size, random }, [radius, sigma]) => {
  const angle = random.uniform(-45, 45);
  return eachPlane(image, (plane) => motionBlur(plane, size, { radius, sigma, angle }));
};

/** The mean of the image and of it at each zoom; at zoom 1 it counts a second time. */
export const zoomBlur: Generator<Settings["zoom_blur"]> = ({ image, size }, [count, step]) =>
  eachPlane(image, (plane) => {
    const sums = Float64Array.from(plane);
    for (let i = 0; i < count; i++) {
      // The step as numpy's arange adds it: rounding decides how many pixels a zoom takes.
      const factor = 1 + i * (1 + step - 1);
      const zoom = zoomed(plane, size, factor);
      for (let j = 0; j < sums.length; j++) sums[j]! += zoom[j]!;
    }
    return Float32Array.from(sums, (sum) => sum / (count + 1));
  });
