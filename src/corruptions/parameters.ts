import type { Corruption } from "./names.ts";

/** Parameters of each corruption at one severity. Lengths are in pixels, intensities in pixel units of [0, 1]. */
export interface Settings {
  /** Standard deviation. */
  readonly gaussian_noise: number;
  /** Photons at full intensity. */
  readonly shot_noise: number;
  /** Share of values replaced. */
  readonly impulse_noise: number;
  /** Standard deviation over the intensity. */
  readonly speckle_noise: number;
  /** Standard deviation. */
  readonly gaussian_blur: number;
  /** Standard deviation of the blur, reach of the shuffle, passes of the shuffle. */
  readonly glass_blur: readonly [sigma: number, reach: number, passes: number];
  /** Radius of the disk, standard deviation of what smooths its edge. */
  readonly defocus_blur: readonly [radius: number, smoothing: number];
  readonly motion_blur: readonly [radius: number, sigma: number];
  /** Factors 1, 1 + step ... */
  readonly zoom_blur: readonly [count: number, step: number];
  /** Fog's weight; how fast the fractal's roughness falls from one scale to the next. */
  readonly fog: readonly [weight: number, decay: number];
  readonly frost: readonly [imageWeight: number, frostWeight: number];
  readonly snow: readonly [
    mean: number,
    deviation: number,
    zoom: number,
    threshold: number,
    motionRadius: number,
    motionSigma: number,
    imageWeight: number,
  ];
  readonly spatter: readonly [
    mean: number,
    deviation: number,
    sigma: number,
    threshold: number,
    /** Water's weight, or the standard deviation that smooths mud's edge. */
    strength: number,
    mud: 0 | 1,
  ];
  readonly contrast: number;
  /** Added to the HSV value. */
  readonly brightness: number;
  /** On the HSV saturation. */
  readonly saturate: readonly [factor: number, offset: number];
  /** The Independent JPEG Group's quality. */
  readonly jpeg_compression: number;
  /** Factor of the side. */
  readonly pixelate: number;
  /** Weight and standard deviation of the displacements, reach of the affine part. */
  readonly elastic_transform: readonly [weight: number, sigma: number, affine: number];
}

export interface ParameterTable {
  /** The data set that was made with it. */
  readonly name: string;
  /** Side of its images in pixels. */
  readonly size: number;
  /** Size of the frost textures, over that of their files. */
  readonly frostScale: number;
  readonly settings: {
    readonly [Name in Corruption]: readonly [
      Settings[Name],
      Settings[Name],
      Settings[Name],
      Settings[Name],
      Settings[Name],
    ];
  };
}

/*
 * Numbers of the published data sets (Hendrycks and Dietterich 2019): github.com/hendrycks/robustness, Apache-2.0,
 * commit 8190fe3. 244 instead of 224 in the elastic transform is theirs.
 */

const cifar10: ParameterTable = {
  name: "CIFAR-10-C",
  size: 32,
  frostScale: 0.2,
  settings: {
    gaussian_noise: [0.04, 0.06, 0.08, 0.09, 0.1],
    shot_noise: [500, 250, 100, 75, 50],
    impulse_noise: [0.01, 0.02, 0.03, 0.05, 0.07],
    speckle_noise: [0.06, 0.1, 0.12, 0.16, 0.2],
    gaussian_blur: [0.4, 0.6, 0.7, 0.8, 1],
    glass_blur: [
      [0.05, 1, 1],
      [0.25, 1, 1],
      [0.4, 1, 1],
      [0.25, 1, 2],
      [0.4, 1, 2],
    ],
    defocus_blur: [
      [0.3, 0.4],
      [0.4, 0.5],
      [0.5, 0.6],
      [1, 0.2],
      [1.5, 0.1],
    ],
    motion_blur: [
      [6, 1],
      [6, 1.5],
      [6, 2],
      [8, 2],
      [9, 2.5],
    ],
    zoom_blur: [
      [7, 0.01],
      [12, 0.01],
      [16, 0.01],
      [21, 0.01],
      [26, 0.01],
    ],
    fog: [
      [0.2, 3],
      [0.5, 3],
      [0.75, 2.5],
      [1, 2],
      [1.5, 1.75],
    ],
    frost: [
      [1, 0.2],
      [1, 0.3],
      [0.9, 0.4],
      [0.85, 0.4],
      [0.75, 0.45],
    ],
    snow: [
      [0.1, 0.2, 1, 0.6, 8, 3, 0.95],
      [0.1, 0.2, 1, 0.5, 10, 4, 0.9],
      [0.15, 0.3, 1.75, 0.55, 10, 4, 0.9],
      [0.25, 0.3, 2.25, 0.6, 12, 6, 0.85],
      [0.3, 0.3, 1.25, 0.65, 14, 12, 0.8],
    ],
    spatter: [
      [0.62, 0.1, 0.7, 0.7, 0.5, 0],
      [0.65, 0.1, 0.8, 0.7, 0.5, 0],
      [0.65, 0.3, 1, 0.69, 0.5, 0],
      [0.65, 0.1, 0.7, 0.69, 0.6, 1],
      [0.65, 0.1, 0.5, 0.68, 0.6, 1],
    ],
    contrast: [0.75, 0.5, 0.4, 0.3, 0.15],
    brightness: [0.05, 0.1, 0.15, 0.2, 0.3],
    saturate: [
      [0.3, 0],
      [0.1, 0],
      [1.5, 0],
      [2, 0.1],
      [2.5, 0.2],
    ],
    jpeg_compression: [80, 65, 58, 50, 40],
    pixelate: [0.95, 0.9, 0.85, 0.75, 0.65],
    elastic_transform: [
      [0, 0, 2.56],
      [1.6, 6.4, 2.24],
      [2.56, 1.92, 1.92],
      [3.2, 1.28, 1.6],
      [3.2, 0.96, 0.96],
    ],
  },
};

const tinyImageNet: ParameterTable = {
  name: "Tiny-ImageNet-C",
  size: 64,
  frostScale: 0.3,
  settings: {
    gaussian_noise: [0.04, 0.08, 0.12, 0.15, 0.18],
    shot_noise: [250, 100, 50, 30, 15],
    impulse_noise: [0.01, 0.02, 0.05, 0.08, 0.14],
    speckle_noise: [0.15, 0.2, 0.25, 0.3, 0.35],
    gaussian_blur: [0.5, 0.75, 1, 1.25, 1.5],
    glass_blur: [
      [0.1, 1, 1],
      [0.5, 1, 1],
      [0.6, 1, 2],
      [0.7, 2, 1],
      [0.9, 2, 2],
    ],
    defocus_blur: [
      [0.5, 0.6],
      [1, 0.1],
      [1.5, 0.1],
      [2.5, 0.01],
      [3, 0.1],
    ],
    motion_blur: [
      [10, 1],
      [10, 1.5],
      [10, 2],
      [10, 2.5],
      [12, 3],
    ],
    zoom_blur: [
      [7, 0.01],
      [12, 0.01],
      [16, 0.01],
      [21, 0.01],
      [26, 0.01],
    ],
    fog: [
      [0.4, 3],
      [0.7, 3],
      [1, 2.5],
      [1.5, 2],
      [2, 1.75],
    ],
    frost: [
      [1, 0.3],
      [0.9, 0.4],
      [0.8, 0.45],
      [0.75, 0.5],
      [0.7, 0.55],
    ],
    snow: [
      [0.1, 0.2, 1, 0.6, 8, 3, 0.8],
      [0.1, 0.2, 1, 0.5, 10, 4, 0.8],
      [0.15, 0.3, 1.75, 0.55, 10, 4, 0.7],
      [0.25, 0.3, 2.25, 0.6, 12, 6, 0.65],
      [0.3, 0.3, 1.25, 0.65, 14, 12, 0.6],
    ],
    spatter: [
      [0.62, 0.1, 0.7, 0.7, 0.6, 0],
      [0.65, 0.1, 0.8, 0.7, 0.6, 0],
      [0.65, 0.3, 1, 0.69, 0.6, 0],
      [0.65, 0.1, 0.7, 0.68, 0.6, 1],
      [0.65, 0.1, 0.5, 0.67, 0.6, 1],
    ],
    contrast: [0.4, 0.3, 0.2, 0.1, 0.05],
    brightness: [0.1, 0.2, 0.3, 0.4, 0.5],
    saturate: [
      [0.3, 0],
      [0.1, 0],
      [2, 0],
      [5, 0.1],
      [30, 0.2],
    ],
    jpeg_compression: [65, 58, 50, 40, 25],
    pixelate: [0.9, 0.8, 0.7, 0.6, 0.5],
    elastic_transform: [
      [0, 0, 5.12],
      [3.2, 19.2, 3.84],
      [6.4, 5.12, 3.84],
      [6.4, 1.92, 1.92],
      [10.24, 1.92, 1.28],
    ],
  },
};

const imageNet: ParameterTable = {
  name: "ImageNet-C",
  size: 224,
  frostScale: 1,
  settings: {
    gaussian_noise: [0.08, 0.12, 0.18, 0.26, 0.38],
    shot_noise: [60, 25, 12, 5, 3],
    impulse_noise: [0.03, 0.06, 0.09, 0.17, 0.27],
    speckle_noise: [0.15, 0.2, 0.35, 0.45, 0.6],
    gaussian_blur: [1, 2, 3, 4, 6],
    glass_blur: [
      [0.7, 1, 2],
      [0.9, 2, 1],
      [1, 2, 3],
      [1.1, 3, 2],
      [1.5, 4, 2],
    ],
    defocus_blur: [
      [3, 0.1],
      [4, 0.5],
      [6, 0.5],
      [8, 0.5],
      [10, 0.5],
    ],
    motion_blur: [
      [10, 3],
      [15, 5],
      [15, 8],
      [15, 12],
      [20, 15],
    ],
    zoom_blur: [
      [12, 0.01],
      [16, 0.01],
      [11, 0.02],
      [13, 0.02],
      [11, 0.03],
    ],
    fog: [
      [1.5, 2],
      [2, 2],
      [2.5, 1.7],
      [2.5, 1.5],
      [3, 1.4],
    ],
    frost: [
      [1, 0.4],
      [0.8, 0.6],
      [0.7, 0.7],
      [0.65, 0.7],
      [0.6, 0.75],
    ],
    snow: [
      [0.1, 0.3, 3, 0.5, 10, 4, 0.8],
      [0.2, 0.3, 2, 0.5, 12, 4, 0.7],
      [0.55, 0.3, 4, 0.9, 12, 8, 0.7],
      [0.55, 0.3, 4.5, 0.85, 12, 8, 0.65],
      [0.55, 0.3, 2.5, 0.85, 12, 12, 0.55],
    ],
    spatter: [
      [0.65, 0.3, 4, 0.69, 0.6, 0],
      [0.65, 0.3, 3, 0.68, 0.6, 0],
      [0.65, 0.3, 2, 0.68, 0.5, 0],
      [0.65, 0.3, 1, 0.65, 1.5, 1],
      [0.67, 0.4, 1, 0.65, 1.5, 1],
    ],
    contrast: [0.4, 0.3, 0.2, 0.1, 0.05],
    brightness: [0.1, 0.2, 0.3, 0.4, 0.5],
    saturate: [
      [0.3, 0],
      [0.1, 0],
      [2, 0],
      [5, 0.1],
      [20, 0.2],
    ],
    jpeg_compression: [25, 18, 15, 10, 7],
    pixelate: [0.6, 0.5, 0.4, 0.3, 0.25],
    elastic_transform: [
      [488, 170.8, 24.4],
      [488, 19.52, 48.8],
      [12.2, 2.44, 4.88],
      [17.08, 2.44, 4.88],
      [29.28, 2.44, 4.88],
    ],
  },
};

const tables: readonly ParameterTable[] = [cifar10, tinyImageNet, imageNet];

/**
 * The parameters for images of a size: those of the data set whose images are nearest to it. Lengths are not scaled to
 * other sizes.
 */
export function parametersFor(size: number): ParameterTable {
  const distance = (table: ParameterTable): number => Math.abs(table.size - size);
  return tables.reduce((best, table) => (distance(table) < distance(best) ? table : best));
}
