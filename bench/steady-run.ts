import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSource } from "../src/data/index.ts";
import { lore } from "../src/objectives/index.ts";
import { benchEncoder } from "../src/profiling/models.ts";
import { finetune } from "../src/training/index.ts";

export interface SteadyOptions {
  readonly steps: number;
  readonly threads: number;
}

export interface SteadyUse {
  /** Resident memory of the process after each step. */
  readonly residentBytes: readonly number[];
}

/** Steps of some milliseconds: what stays behind once a step is to show, not what one step takes. */
const model = { imageSize: 32, patch: 8, width: 64, depth: 2, heads: 2 };
const batch = 8;

/** Fine-tunes by LORE on generated images as `lore train` does, its files included, one optimiser step a batch. */
export async function measureSteady({ steps, threads }: SteadyOptions): Promise<SteadyUse> {
  const objective = lore({ epsilon: 2 / 255, attack: { steps: 2 }, stepsPerBatch: 1 });
  const folder = mkdtempSync(join(tmpdir(), "lore-steady-"));
  const residentBytes: number[] = [];
  try {
    // Images beyond the limit are those that training keeps aside.
    const images = await openSource(`synthetic:${(steps + 8) * batch}`, { seed: 0 });
    await finetune(benchEncoder(model, 0), images, objective, {
      ...{ batch, epochs: 1, limit: steps * batch, threads, run: join(folder, "run") },
      onStep: () => residentBytes.push(process.memoryUsage.rss()),
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { residentBytes };
}

/**
 * Bytes a step by which memory grows: the median slope between any two steps of the second half (Theil and Sen), since buffers
 * and the garbage collector's heap fill up during the first. The latter may also grow once later on, by some 20 MiB at one
 * step, which least squares would take for a growth of all.
 */
export function growthPerStep({ residentBytes }: SteadyUse): number {
  const late = residentBytes.slice(Math.floor(residentBytes.length / 2));
  const slopes = late.flatMap((bytes, i) => late.slice(0, i).map((before, j) => (bytes - before) / (i - j)));
  return slopes.sort((a, b) => a - b)[Math.floor(slopes.length / 2)] ?? 0;
}
