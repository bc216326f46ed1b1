import type { VitArchitecture } from "../models/index.ts";

/** An architecture and the size of its images. */
export interface BenchModel extends VitArchitecture {
  /** Side of the input in pixels, unless another is asked for. */
  readonly imageSize: number;
}

/** Architectures to measure with. `small` is one where element-wise work weighs as much as the products. */
export const benchModels = {
  small: { imageSize: 32, patch: 4, width: 192, depth: 6, heads: 3 },
  "deit-tiny": { imageSize: 224, patch: 16, width: 192, depth: 12, heads: 3 },
  "vit-b-32": { imageSize: 224, patch: 32, width: 768, depth: 12, heads: 12 },
  "vit-b-16": { imageSize: 224, patch: 16, width: 768, depth: 12, heads: 12 },
  "vit-l-14": { imageSize: 224, patch: 14, width: 1024, depth: 24, heads: 16 },
} as const satisfies Readonly<Record<string, BenchModel>>;

export type BenchModelName = keyof typeof benchModels;
