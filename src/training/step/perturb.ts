import { drawStarts, type InnerAttack } from "../../attacks/index.ts";
import type { Key, Learner } from "../learners/learner.ts";
import { type Batch, type ImageRows, joined, type Part, partsOf, type Rows } from "./batch.ts";
import type { BoundRows } from "./bounds.ts";
import type { OriginalRows } from "./reference.ts";

/** Everything known about a batch's images before the encoder moves. */
export type KnownRows = ImageRows & OriginalRows & BoundRows;

/** Start and limits of the inner attack. */
export type StartRows = Rows & {
  /** [rows, 3, S, S] in [0, 1] */
  readonly adversarial: Float32Array;
  /** [rows], size of the perturbation in pixel units. */
  readonly epsilon: Float32Array;
  /** [rows], size of a step in pixel units. */
  readonly stepSize: Float32Array;
};

/** Result of the inner attack. The perturbed images stay with the learner, in the memory of its device. */
export interface Perturbed {
  /** [rows], clean distances before the first optimiser step, where they were measured. */
  readonly cleanDistance?: Float32Array;
}

export interface PerturbOptions {
  readonly learner: Learner;
  readonly attack: InnerAttack;
  readonly microBatch: number;
  /** Makes the attack's random start. */
  readonly key: Key;
  /** Whether to measure clean distances too, if the optimiser's steps do not give them. */
  readonly measured: boolean;
}

/** Phase 2 of a step: the inner attack, once. */
export async function perturb(
  batch: Batch,
  known: KnownRows,
  { learner, attack, microBatch, key, measured }: PerturbOptions,
): Promise<Perturbed> {
  const distances: Float32Array[] = [];
  for (const part of partsOf(batch, known, microBatch)) {
    const { cleanDistance } = await learner.perturb(part, drawn(attack, part, key), measured);
    if (cleanDistance) distances.push(cleanDistance);
  }
  return distances.length > 0 ? { cleanDistance: joined(batch, microBatch, distances) } : {};
}

/** Random starts, drawn by the image's place in the whole batch: they must not depend on the micro-batch. */
function drawn(attack: InnerAttack, { rows, size, start }: Part<KnownRows>, key: Key): StartRows {
  const starts = {
    adversarial: new Float32Array(rows.clean.length),
    epsilon: new Float32Array(size),
    stepSize: new Float32Array(size),
  };
  drawStarts(attack, rows.clean, (i) => [...key, start + i], starts);
  return starts;
}
