import type { Parameters } from "../../models/index.ts";
import type { Objective } from "../../objectives/index.ts";
import type { AdamW } from "../adamw/adamw.ts";
import { checkLoss } from "../non-finite.ts";
import { type ImageRows, joined, type Part } from "../step/batch.ts";
import type { Descent, MeasuredRows } from "../step/descend.ts";
import type { KnownRows, Perturbed, StartRows } from "../step/perturb.ts";
import type { OriginalRows } from "../step/reference.ts";
import type { TrainingGraphs } from "../training-graphs.ts";

/** Key of an attack's random start: the same key gives the same start. */
export type Key = readonly (number | string)[];

/**
 * The encoder in training and its optimiser, in the memory of the computing device. A learner runs the phases of a step
 * that need them. It owns every buffer that changes meanwhile: perturbed images, gradients, weights, moments.
 */
export interface Learner {
  /** Original embeddings of a part's clean images and, with a class constraint, the entropies of their distributions. */
  reference(part: Part<ImageRows>): Promise<OriginalRows>;
  /**
   * The inner attack on a part. The perturbed images stay with the learner until `release`.
   *
   * @param measured whether to measure clean distances too, if the primal step does not give them
   */
  perturb(part: Part<KnownRows>, starts: StartRows, measured: boolean): Promise<Perturbed>;
  /**
   * Takes the optimiser's steps on a batch whose parts are all perturbed.
   *
   * @param rates learning rates, one per step
   * @throws NonFiniteError when a loss or a gradient is not finite; weights and moments are then those of an earlier step
   */
  descend(parts: readonly Part<KnownRows>[], rates: readonly number[]): Promise<Descent>;
  /** Frees what belongs to the batch. */
  release(): void;
  /** Copies weights and moments to the arrays in host memory that the learner was created with. */
  pull(): Promise<void>;
  /** Continues from those arrays after a change to them. */
  push(): void;
  dispose(): Promise<void>;
}

/** Everything that a learner needs. */
export interface Lesson {
  /** Weights of the frozen original. */
  readonly original: Parameters;
  /** Weights in training, in arrays that the learner changes. */
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly objective: Objective;
  readonly graphs: TrainingGraphs;
}

/** Loss of a whole batch, and measurements of its parts. */
export interface PrimalResult {
  readonly loss: number;
  readonly measured: MeasuredRows;
}

/** A learner whose loss and optimiser are programs of their own. */
export interface Stepwise {
  /** Computes loss and gradient. The gradient stays with the learner. */
  primal(parts: readonly Part<KnownRows>[]): Promise<PrimalResult>;
  /**
   * One step of the optimiser with the latest gradient.
   *
   * @throws NonFiniteError when the gradient is not finite; weights and moments are then as before
   */
  update(learningRate: number): Promise<void>;
}

/** `Learner.descend`, one step after the other. */
export async function descendStepwise(
  learner: Stepwise,
  parts: readonly Part<KnownRows>[],
  rates: readonly number[],
): Promise<Descent> {
  let first: PrimalResult | undefined;
  let lastCleanDistance: Float32Array | undefined;
  for (const rate of rates) {
    const result = await learner.primal(parts);
    checkLoss(result.loss);
    first ??= result;
    lastCleanDistance = result.measured.cleanDistance;
    await learner.update(rate);
  }
  if (!first) throw new RangeError("A batch needs at least one optimiser step.");
  return { loss: first.loss, before: first.measured, lastCleanDistance };
}

const measurements = ["advEmbedding", "advDistance", "advLoss", "cleanDistance"] as const;

/**
 * Measurements among a program's outputs.
 *
 * @param floats an output's elements in host memory
 */
export function measuredRows<Output>(
  outputs: Readonly<Record<string, Output>>,
  floats: (output: Output) => Float32Array,
): MeasuredRows {
  const found = measurements.filter((name) => outputs[name] !== undefined);
  return Object.fromEntries(found.map((name) => [name, floats(outputs[name]!)])) as MeasuredRows;
}

/** Measurements of a batch from those of its parts. */
export function joinedRows(parts: readonly Part<KnownRows>[], measured: readonly MeasuredRows[]): MeasuredRows {
  const { batch, size } = parts[0]!;
  const names = Object.keys(measured[0]!);
  return Object.fromEntries(
    names.map((name) => [
      name,
      joined(
        batch,
        size,
        measured.map((rows) => rows[name] as Float32Array),
      ),
    ]),
  ) as MeasuredRows;
}
