/** The fifteen corruptions of ImageNet-C that count in the mean corruption error, in the paper's order. */
export const commonCorruptions = [
  "gaussian_noise",
  "shot_noise",
  "impulse_noise",
  "defocus_blur",
  "glass_blur",
  "motion_blur",
  "zoom_blur",
  "snow",
  "frost",
  "fog",
  "brightness",
  "contrast",
  "elastic_transform",
  "pixelate",
  "jpeg_compression",
] as const;

/** The four that came with them for choosing settings, and do not count in the mean. */
export const extraCorruptions = ["speckle_noise", "gaussian_blur", "spatter", "saturate"] as const;

export const allCorruptions = [...commonCorruptions, ...extraCorruptions] as const;

export type Corruption = (typeof allCorruptions)[number];

export const severities = [1, 2, 3, 4, 5] as const;

export type Severity = (typeof severities)[number];

export function isCorruption(name: string): name is Corruption {
  return (allCorruptions as readonly string[]).includes(name);
}

export function isSeverity(value: number): value is Severity {
  return (severities as readonly number[]).includes(value);
}
