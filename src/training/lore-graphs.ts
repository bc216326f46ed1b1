import { ascentGraph, ascentSpec, squaredDistance } from "../attacks/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { type Encoder, frozenWeights, type Parameters, trainableWeights } from "../models/encoder.ts";
import { dualGraph, type Objective, primalGraph } from "../objectives/index.ts";

/** A graph's outputs by name. */
export type Outputs = Readonly<Record<string, Value>>;

/** What one step on a batch is made of: a graph, hence a program, for each of its phases. */
export interface LoreGraphs {
  /** Original embeddings: inputs `clean`; output `embedding`. */
  readonly reference: Outputs;
  /** One step of the inner attack; see `ascentGraph`. */
  readonly ascent: Outputs;
  /** Loss and gradients of the encoder; see `primalGraph`. */
  readonly primal: Outputs;
  /** Multipliers and their gradients; see `dualGraph`. Only with a constraint. */
  readonly dual: Outputs | undefined;
  /** Output `cleanDistance` [N]: clean distances, where the primal graph does not compute them anyway. */
  readonly distance: Outputs | undefined;
}

/**
 * @param batch images that go through the encoder at a time
 * @param omega the dual variables
 */
export function loreGraphs(encoder: Encoder, objective: Objective, batch: number, omega: Parameters): LoreGraphs {
  const { attack, constraint } = objective;
  const spec = ascentSpec(attack, batch, encoder.imageSize);
  const { next, nextVelocity } = ascentGraph(spec, (pixels) => ({ loss: trainedDistance(encoder, pixels) }));
  return {
    reference: { embedding: originalEmbedding(encoder, batch) },
    ascent: { next: next!, ...(nextVelocity && { nextVelocity }) },
    primal: primalGraph(encoder, batch, constraint !== undefined),
    dual: constraint && dualGraph(constraint.dual, batch, omega, encoder.embeddingSize),
    distance: constraint ? undefined : { cleanDistance: trainedDistance(encoder, cleanPixels(encoder, batch)) },
  };
}

/** How often `LoreStep.run` runs each of the graphs on a batch (with micro-batches: on each of them). */
export function runsPerBatch({ attack, stepsPerBatch, constraint }: Objective): Record<keyof LoreGraphs, number> {
  const dualRuns = !constraint ? 0 : constraint.dual.kind === "constant" ? 1 : 2;
  return {
    reference: 1,
    ascent: attack.steps,
    primal: stepsPerBatch,
    dual: dualRuns,
    distance: constraint ? 0 : 1,
  };
}

function cleanPixels(encoder: Encoder, batch: number): Value {
  return new Graph().input("clean", "float32", [batch, 3, encoder.imageSize, encoder.imageSize]);
}

function originalEmbedding(encoder: Encoder, batch: number): Value {
  const clean = cleanPixels(encoder, batch);
  return encoder.embed(clean, frozenWeights(clean.graph, encoder.parameters));
}

/** Distances [N] of the trained encoder's embeddings of `pixels` to the input `original` [N, D]. */
function trainedDistance(encoder: Encoder, pixels: Value): Value {
  const weights = trainableWeights(pixels.graph, encoder.parameters);
  const original = pixels.graph.input("original", "float32", [pixels.shape[0]!, encoder.embeddingSize]);
  return squaredDistance(
    encoder.embed(pixels, (name) => weights.get(name)!),
    original,
  );
}
