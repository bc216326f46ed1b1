import type { BenchModel } from "../src/profiling/architectures.ts";

/** The dimension that grows; the rest is that of the base. */
export const axes = ["batch", "depth", "width", "tokens"] as const;

export type Axis = (typeof axes)[number];

/** A step that is measured. */
export interface GrowthPoint {
  readonly model: BenchModel;
  readonly batch: number;
}

const headSize = 64;

/** `lore bench`'s small ViT, at a batch that leaves room to grow. */
const base: GrowthPoint = { model: { imageSize: 32, patch: 4, width: 192, depth: 6, heads: 3 }, batch: 16 };

const batches = [2, 4, 8, 16, 32, 64, 128];
const depths = [1, 2, 4, 6, 8, 12];
const widths = [64, 128, 192, 384, 768];
const imageSizes = [8, 16, 24, 32, 48, 64, 96];

/** Every axis's points, in increasing order; the base is one of each. */
export const growthPoints: Readonly<Record<Axis, readonly GrowthPoint[]>> = {
  batch: batches.map((batch) => ({ ...base, batch })),
  depth: depths.map((depth) => ({ ...base, model: { ...base.model, depth } })),
  width: widths.map((width) => ({ ...base, model: { ...base.model, width, heads: width / headSize } })),
  tokens: imageSizes.map((imageSize) => ({ ...base, model: { ...base.model, imageSize } })),
};

/** How large the point is along the axis. */
export function valueOn(axis: Axis, { model, batch }: GrowthPoint): number {
  switch (axis) {
    case "batch":
      return batch;
    case "depth":
      return model.depth;
    case "width":
      return model.width;
    case "tokens":
      return (model.imageSize / model.patch) ** 2 + 1;
  }
}

/** The axis's points, or those of them whose value is listed. */
export function pointsOf(axis: Axis, values: readonly number[] | undefined): readonly GrowthPoint[] {
  return growthPoints[axis].filter((point) => values === undefined || values.includes(valueOn(axis, point)));
}

export function samePoint(a: GrowthPoint, b: GrowthPoint): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
