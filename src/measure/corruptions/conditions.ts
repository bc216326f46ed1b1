import { type Corruption, corrupt, type FrostTexture, type Severity, withNoise } from "../../corruptions/index.ts";
import { defined } from "../../defined.ts";

/** A condition that images are evaluated under. */
export type Condition =
  | { readonly kind: "clean" }
  | { readonly kind: "corruption"; readonly corruption: Corruption; readonly severity: Severity }
  | { readonly kind: "noise"; readonly sigma: number };

/** Name of the condition's results. */
export function conditionName(condition: Condition): string {
  switch (condition.kind) {
    case "clean":
      return "clean";
    case "corruption":
      return `${condition.corruption} ${condition.severity}`;
    case "noise":
      return condition.sigma === 0 ? "clean" : `noise ${condition.sigma}`;
  }
}

export interface Images {
  /** [count, 3, S, S] in [0, 1] */
  readonly pixels: Float32Array;
  /** Places in the source. */
  readonly indices: readonly number[];
  readonly size: number;
}

/** The images under a condition, in a new array unless they stay as they are. */
export async function underCondition(
  condition: Condition,
  { pixels, indices, size }: Images,
  { seed, frost }: { readonly seed: number; readonly frost?: readonly FrostTexture[] | undefined },
): Promise<Float32Array> {
  if (condition.kind === "clean") return pixels;
  const length = 3 * size * size;
  const result = new Float32Array(pixels.length);
  const change = async (index: number, i: number): Promise<void> => {
    const image = pixels.subarray(i * length, (i + 1) * length);
    const changed =
      condition.kind === "noise"
        ? withNoise(image, { sigma: condition.sigma, index }, seed)
        : await corrupt(image, { ...condition, size, index, ...defined({ frost }) }, seed);
    result.set(changed, i * length);
  };
  await Promise.all(indices.map(change));
  return result;
}
