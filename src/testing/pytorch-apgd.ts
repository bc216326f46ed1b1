import { readFileSync } from "node:fs";
import type { Norm } from "../attacks/index.ts";
import type { Value } from "../graph/index.ts";

/**
 * Result of AutoAttack's own APGD (github.com/fra31/auto-attack, run with PyTorch 2.6 in float32) on a small problem: one
 * run of 100 steps from `parityStarts`, which continues after a success. For l1 it uses three radii, and its random noise
 * was replaced by start - clean. Two effects of float32 that matter with only 48 pixels were removed. A pixel counted as
 * moved from 1e-6 on, not from the last bit on. The number of entries moved, an integer in exact arithmetic, could not
 * be rounded up to one more.
 */
export interface ApgdParityCase {
  readonly norm: Norm;
  readonly loss: "ce" | "targeted-dlr";
  readonly epsilon: number;
  /** Scale of the classifier's first layer: the larger, the less linear. */
  readonly gain: number;
  /** Each image's largest logit. */
  readonly labels: readonly number[];
  /** Each image's second largest logit: what "targeted-dlr" aims at. */
  readonly targets: readonly number[];
  /** Each image's largest loss. */
  readonly best: readonly number[];
}

export const apgdParityCases = JSON.parse(
  readFileSync(new URL("./pytorch-apgd.json", import.meta.url), "utf8"),
) as readonly ApgdParityCase[];

export const paritySize = 4;
const [images, width, hidden, classes] = [8, 3 * paritySize ** 2, 12, 5];

/** Numbers in [-1, 1] that any language can make: (31 i^2 + 17 i) mod 1009, scaled, for i from `first`. */
function residues(first: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, k) => {
    const i = first + k;
    return ((31 * i * i + 17 * i) % 1009) / 504.5 - 1;
  });
}

/** Eight images [8, 3, 4, 4]. */
export const parityImages = Float32Array.from(residues(20000, images * width), (u) => (u + 1) / 2);

/** Where the runs start: for l1 outside the ball, whose projection is part of the run. */
export function parityStarts({ norm, epsilon }: ApgdParityCase): Float32Array {
  const scale = { linf: epsilon, l2: epsilon / 7, l1: 1 }[norm];
  return Float32Array.from(residues(30000, images * width), (u, i) => {
    const x = parityImages[i]! + scale * u;
    return norm === "l1" ? x : Math.min(Math.max(x, 0), 1);
  });
}

/** Logits tanh((x - 1/2) W1) W2, [N, 5]. */
export function parityLogits({ gain }: ApgdParityCase): (pixels: Value) => Value {
  return (pixels) => {
    const { graph: g } = pixels;
    const weight = (first: number, scale: number, shape: readonly [number, number]): Value => {
      const data = Float32Array.from(residues(first, shape[0] * shape[1]), (u) => scale * u);
      return g.constant({ dtype: "float32", shape, data });
    };
    const x = g.sub(g.reshape(pixels, [pixels.shape[0]!, width]), 0.5);
    const h = g.tanh(g.matMul(x, weight(0, gain, [width, hidden])));
    return g.matMul(h, weight(10000, 2, [hidden, classes]));
  };
}
