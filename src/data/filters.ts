import type { Filter } from "../framing.ts";

/** A filter that weighs the source pixels around a place; distances in source pixels at scale 1. */
export interface Kernel {
  /** No pixel farther than this has weight. */
  readonly support: number;
  readonly weight: (distance: number) => number;
}

/** Pillow's filters, except the nearest neighbour, which does not weigh pixels. */
export const kernels: Readonly<Record<Exclude<Filter, "nearest">, Kernel>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: (x) => (Math.abs(x) < 1 ? sinc(x) * (wide + narrow * Math.cos(Math.PI * x)) : 0) },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

// Pillow writes them in single precision.
const [wide, narrow] = [Math.fround(0.54), Math.fround(0.46)];

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The cubic convolution kernel with a = -0.5 (Catmull-Rom). */
function bicubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}
