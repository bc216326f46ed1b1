import { existsSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { readBytes, writeAtomically } from "../files.ts";
import { decodeSafetensors, safetensorsPieces } from "../safetensors.ts";
import type { Tensor } from "../tensor/index.ts";

/** Progress of training between two batches. */
export interface Progress {
  /** Batches done. */
  readonly step: number;
  /** Images done. */
  readonly images: number;
  /** Passes over the data completed. */
  readonly epoch: number;
  /** Position in this epoch's order from which the next batch is read. */
  readonly cursor: number;
  /** Number of restarts so far, each at a lower rate. Default 0. */
  readonly attempt?: number;
}

/** Before the first batch. */
export const beginning: Progress = { step: 0, images: 0, epoch: 0, cursor: 0 };

export interface Checkpoint {
  readonly progress: Progress;
  /** Weights, optimiser moments and dual variables. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export function writeCheckpoint(path: string, { progress, tensors }: Checkpoint): void {
  writeAtomically(path, safetensorsPieces(tensors, new Map([["progress", JSON.stringify(progress)]])));
}

/** @throws UsageError when the file is missing or damaged */
export function readCheckpoint(path: string): Checkpoint {
  if (!existsSync(path)) throw new UsageError(`There is no checkpoint at ${path} to resume from.`);
  try {
    const { tensors, metadata } = decodeSafetensors(readBytes(path));
    return { progress: JSON.parse(metadata.get("progress") ?? "") as Progress, tensors };
  } catch (cause) {
    throw new UsageError(`The checkpoint ${path} is damaged: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}
