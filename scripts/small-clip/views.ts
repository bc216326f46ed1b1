import { type RandomStream, shuffle } from "../../src/random.ts";

/** Randomly mirrored and shifted copies of images [count, 3, size, size]; uncovered pixels are filled by reflection. */
export function augment(pixels: Float32Array, size: number, shift: number, random: RandomStream): Float32Array {
  const area = size * size;
  const out = new Float32Array(pixels.length);
  const reflect = (i: number): number => (i < 0 ? -i : i >= size ? 2 * size - 2 - i : i);
  for (let image = 0; image < pixels.length; image += 3 * area) {
    const mirrored = random.uniform(0, 1) < 0.5;
    const [dx, dy] = [random.below(2 * shift + 1) - shift, random.below(2 * shift + 1) - shift];
    const columns = Array.from({ length: size }, (_, x) => reflect((mirrored ? size - 1 - x : x) + dx));
    for (let channel = 0; channel < 3; channel++) {
      const plane = image + channel * area;
      for (let y = 0; y < size; y++) {
        const from = plane + reflect(y + dy) * size;
        for (let x = 0; x < size; x++) out[plane + y * size + x] = pixels[from + columns[x]!]!;
      }
    }
  }
  return out;
}

/** Copies of images [count, 3, size, size] with their channels in random order, each kept or turned to its negative. */
export function recolour(pixels: Float32Array, size: number, random: RandomStream): Float32Array {
  const area = size * size;
  const out = new Float32Array(pixels.length);
  for (let image = 0; image < pixels.length; image += 3 * area) {
    for (const [to, from] of shuffle([0, 1, 2], random).entries()) {
      const negative = random.below(2) === 1;
      for (let i = 0; i < area; i++) {
        const x = pixels[image + from * area + i]!;
        out[image + to * area + i] = negative ? 1 - x : x;
      }
    }
  }
  return out;
}

/**
 * Some of the patches of each image, put side by side as a smaller square image: with the position embeddings chosen
 * alike, an encoder of that image size sees just these patches at their true places. This is how FLIP (Li et al. 2023)
 * trains CLIP faster.
 *
 * @param kept indices of patches, a square number of them
 */
export function keepPatches(pixels: Float32Array, size: number, patch: number, kept: readonly number[]): Float32Array {
  const [grid, side] = [size / patch, Math.sqrt(kept.length)];
  const small = side * patch;
  const planes = pixels.length / (size * size);
  const out = new Float32Array(planes * small * small);
  for (let plane = 0; plane < planes; plane++) {
    for (const [to, from] of kept.entries()) {
      for (let row = 0; row < patch; row++) {
        const start = plane * size * size + (Math.floor(from / grid) * patch + row) * size + (from % grid) * patch;
        const target = plane * small * small + (Math.floor(to / side) * patch + row) * small + (to % side) * patch;
        out.set(pixels.subarray(start, start + patch), target);
      }
    }
  }
  return out;
}
