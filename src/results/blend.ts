import type { Evaluation } from "./evaluation.ts";

/** Weights between an original and a robust encoder. */
export interface MeasuredBlend {
  /** 0 is the original, 1 the robust encoder. */
  readonly weight: number;
  /** Share of the original's clean behaviour that is kept, from 0 to 1. */
  readonly kept: number;
  /** Absent without labelled images. */
  readonly evaluation?: Evaluation;
}

/** The trade-off after training, as `lore blend --out` keeps it in `blend.json`. */
export interface BlendFront {
  /** As they were given; absent in files of earlier versions. */
  readonly original?: string;
  readonly robust?: string;
  readonly chosen: { readonly weight: number };
  readonly points: readonly MeasuredBlend[];
}
