import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import { openSource } from "../src/data/index.ts";
import { lore } from "../src/objectives/index.ts";
import { type BenchModelName, benchModels } from "../src/profiling/architectures.ts";
import { benchEncoder } from "../src/profiling/models.ts";
import { peakMemoryBytes } from "../src/runtime/peak-memory.ts";
import { finetune, trainingBytes } from "../src/training/index.ts";
import { chosenMicroBatches } from "../src/training/micro-batch.ts";

export interface MemoryCase {
  readonly model: BenchModelName;
  readonly batch: number;
  /** The usual ones where it is left out. */
  readonly microBatch?: number;
  readonly recompute: boolean;
}

export interface MemoryUse {
  readonly expectedBytes: number;
  /** Largest resident memory of the process. */
  readonly measuredBytes: number;
}

export const defaultCases = [
  "small:8",
  "small:64",
  "small:64:64",
  "small:64:64:recompute",
  "small:256:256",
  "small:256:32",
  "deit-tiny:4:4",
  "deit-tiny:16",
  "deit-tiny:16:16",
  "deit-tiny:16:16:recompute",
  "vit-b-32:2:2",
  "vit-b-32:8",
  "vit-b-32:8:8:recompute",
  "vit-b-32:8:2",
  "vit-b-16:8",
  "vit-b-32:32:32",
  "vit-b-32:32:32:recompute",
] as const;

/** Reads `MODEL:BATCH` or `MODEL:BATCH:MICRO-BATCH`, with `:recompute` behind it or without. */
export function parseCase(text: string): MemoryCase {
  const [, model = "", batch, microBatch, recompute] =
    /^([a-z0-9-]+):([1-9]\d*)(?::([1-9]\d*))?(:recompute)?$/.exec(text) ?? [];
  if (!Object.hasOwn(benchModels, model)) {
    const names = Object.keys(benchModels).join(", ");
    throw new InvalidArgumentError(`Write MODEL:BATCH[:MICRO-BATCH][:recompute], with a model of ${names}.`);
  }
  return {
    model: model as BenchModelName,
    batch: Number(batch),
    ...(microBatch !== undefined && { microBatch: Number(microBatch) }),
    recompute: recompute !== undefined,
  };
}

export interface MemoryOptions extends MemoryCase {
  /** Batches trained on. */
  readonly batches: number;
}

/**
 * Fine-tunes by LORE on generated images as `lore train` does, checkpoints included, with one attack step and one optimiser
 * step a batch: more of them take time, not memory.
 */
export async function measureMemory(options: MemoryOptions): Promise<MemoryUse> {
  const { model, batches, ...how } = options;
  const encoder = benchEncoder(model, 0);
  const objective = lore({ epsilon: 2 / 255, attack: { steps: 1 }, stepsPerBatch: 1 });
  const expectedBytes = trainingBytes(encoder, objective, { ...how, ...chosenMicroBatches(encoder, objective, how) });
  const folder = mkdtempSync(join(tmpdir(), "lore-memory-"));
  try {
    const source = await openSource(`synthetic:${batches * how.batch}`, { seed: 0 });
    await finetune(encoder, source, objective, { ...how, epochs: 1, run: join(folder, "run") });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { expectedBytes, measuredBytes: peakMemoryBytes() };
}
