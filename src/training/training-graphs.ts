import { ascentGraph, ascentSpec, type InnerAttack, isInt8, lossGraph, type TargetBuilder } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { Graph, type Outputs, type Value } from "../graph/index.ts";
import { type Encoder, frozenWeights, type Parameters, trainableEmbedding, trainableWeights } from "../models/index.ts";
import {
  type Constraint,
  classEntropy,
  dualGraph,
  type Measure,
  type Objective,
  primalGraph,
  termsOf,
} from "../objectives/index.ts";
import {
  attackInInt8,
  type Int8Products,
  optimizedAttack,
  optimizedTraining,
  type StepTarget,
} from "../optimize/index.ts";
import type { MicroBatches } from "./micro-batch.ts";

/** Phases of one step on a batch, each a graph and so a program. */
export interface TrainingGraphs {
  /** The original on clean images: input `clean`; outputs `embedding`, for a class constraint also `entropy` [N]. */
  readonly reference: Outputs;
  /** One step of the inner attack: `ascentGraph` for fixed steps, `lossGraph` for APGD. */
  readonly ascent: Outputs;
  /** Weights in int8 for `ascent`, if the attack computes in int8. */
  readonly int8Weights: Outputs | undefined;
  /** Output `loss` [N] of APGD's last point. */
  readonly lastLook: Outputs | undefined;
  /** Loss and gradients of the encoder; see `primalGraph`. */
  readonly primal: Outputs;
  /** Multipliers and their gradients; see `dualGraph`. Only with a constraint. */
  readonly dual: Outputs | undefined;
  /** Output `cleanDistance` [N]: clean distances, if the primal graph does not compute them anyway. */
  readonly distance: Outputs | undefined;
}

export interface GraphOptions {
  /** Whether backward passes recompute activations instead of keeping them. Default false. */
  readonly recompute?: boolean;
  /**
   * Form of the original's weights. As inputs, they are in host memory only once. As constants (the default), the program
   * has a copy. That is some 10 % faster in one of a step's dozens of passes, and needed if the device has its own memory.
   */
  readonly reference?: "constants" | "inputs";
}

/**
 * @param omega the dual variables
 */
export function trainingGraphs(
  encoder: Encoder,
  objective: Objective,
  { microBatch: batch, primalMicroBatch }: MicroBatches,
  omega: Parameters,
  { recompute = false, reference = "constants" }: GraphOptions = {},
): TrainingGraphs {
  const { attack, constraint } = objective;
  const terms = termsOf(objective);
  const primal = primalGraph(encoder, primalMicroBatch, constraint !== undefined, terms);
  return {
    reference: referenceGraph(encoder, batch, constraint, reference),
    ...attackGraphs(encoder, attack, batch, terms.attackLoss, { recompute }),
    primal: optimizedTraining(primal, primal.loss!, { recompute }),
    dual: constraint && dualGraph(constraint.dual, batch, omega, encoder.embeddingSize),
    distance: constraint
      ? undefined
      : { cleanDistance: trained(encoder, cleanPixels(encoder, batch), terms.divergence) },
  };
}

function attackGraphs(
  encoder: Encoder,
  attack: InnerAttack,
  batch: number,
  loss: Measure,
  target: StepTarget,
): Pick<TrainingGraphs, "ascent" | "int8Weights" | "lastLook"> {
  const { imageSize } = encoder;
  const build: TargetBuilder = (pixels) => ({ loss: trained(encoder, pixels, loss) });
  if (attack.schedule === "apgd") {
    const look = lossGraph({ batch, imageSize, gradient: true }, build);
    const lastLook = lossGraph({ batch, imageSize, gradient: false }, build);
    return { ascent: optimizedAttack(look, look.loss!, target), int8Weights: undefined, lastLook };
  }
  const { loss: climbed, ...outputs } = ascentGraph(ascentSpec(attack, batch, imageSize), build);
  const step = optimizedAttack(outputs, climbed!, target);
  const { outputs: ascent, weights: int8Weights } = isInt8(attack)
    ? inInt8(encoder, step)
    : { outputs: step, weights: undefined };
  return { ascent, int8Weights, lastLook: undefined };
}

/**
 * A computation of the encoder with products by its weights in int8.
 *
 * @throws UsageError when there are none
 */
export function inInt8(encoder: Encoder, outputs: Outputs): Int8Products {
  const products = attackInInt8(outputs, new Set(encoder.parameters.keys()));
  if (Object.keys(products.weights).length > 0) return products;
  throw new UsageError(`${encoder.name} has no products by weights that int8 is for: attack it in float32.`);
}

/** Images that go through one of the graphs at a time. */
export function microBatchOf(phase: keyof TrainingGraphs, { microBatch, primalMicroBatch }: MicroBatches): number {
  return phase === "primal" ? primalMicroBatch : microBatch;
}

/** Runs of each graph in one `TrainingStep.run` on a batch (with micro-batches: on each of them). */
export function runsPerBatch({ attack, stepsPerBatch, constraint }: Objective): Record<keyof TrainingGraphs, number> {
  const dualRuns = !constraint ? 0 : constraint.dual.kind === "constant" ? 1 : 2;
  return {
    reference: 1,
    ascent: attack.steps,
    int8Weights: isInt8(attack) ? 1 : 0,
    lastLook: attack.schedule === "apgd" ? 1 : 0,
    primal: stepsPerBatch,
    dual: dualRuns,
    distance: constraint ? 0 : 1,
  };
}

function cleanPixels(encoder: Encoder, batch: number): Value {
  return new Graph().input("clean", "float32", [batch, 3, encoder.imageSize, encoder.imageSize]);
}

function referenceGraph(
  encoder: Encoder,
  batch: number,
  constraint: Constraint | undefined,
  weights: "constants" | "inputs",
): Outputs {
  const clean = cleanPixels(encoder, batch);
  const inputs = weights === "inputs" && trainableWeights(clean.graph, encoder.parameters);
  const embedding = encoder.embed(
    clean,
    inputs ? (name) => inputs.get(name)! : frozenWeights(clean.graph, encoder.parameters),
  );
  if (constraint?.divergence !== "classes") return { embedding };
  return { embedding, entropy: classEntropy(embedding, constraint.classifier) };
}

/** A measure [N] of the trained encoder's embeddings of `pixels`, beside the input `original` [N, D]. */
function trained(encoder: Encoder, pixels: Value, measure: Measure): Value {
  const embedding = trainableEmbedding(encoder, pixels);
  const original = pixels.graph.input("original", "float32", [pixels.shape[0]!, encoder.embeddingSize]);
  return measure(embedding, original);
}
