import type { Batch } from "./batch.ts";
import { partsOf } from "./batch.ts";
import type { DualVariable } from "./dual-variable.ts";
import type { KnownRows } from "./perturb.ts";

export interface AscendOptions {
  readonly dual: DualVariable | undefined;
  readonly microBatch: number;
}

/** Phase 4 of a step: one ascent step on the dual variables, with the encoder fixed. */
export async function ascend(
  batch: Batch,
  known: KnownRows,
  cleanDistance: Float32Array | undefined,
  { dual, microBatch }: AscendOptions,
): Promise<void> {
  if (dual && cleanDistance) await dual.ascend(partsOf(batch, { ...known, cleanDistance }, microBatch));
}
