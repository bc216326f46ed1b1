import type { FixedSteps } from "../../../attacks/index.ts";
import { Graph, inlined, type Outputs, type Value } from "../../../graph/index.ts";
import type { Parameters } from "../../../models/index.ts";
import type { AdamWOptions } from "../../adamw/formula.ts";
import { adamWGraph, momentNames, nextName } from "../../adamw/graph.ts";
import type { TrainingGraphs } from "../../training-graphs.ts";

export interface BatchGraphOptions extends AdamWOptions {
  /** K */
  readonly stepsPerBatch: number;
  readonly clipGradient?: number;
}

/** Name of a step's own loss, gradient norm or rate among the graph's outputs or inputs; `step` from 0. */
export const ofStep = (name: string, step: number): string => `${name} of step ${step}`;

/** Clean distances after all but the last optimiser step. */
export const lastCleanDistance = "last cleanDistance";

/**
 * All work on a batch as one graph, once original embeddings, thresholds and multipliers are known: every step of the
 * inner attack from the input `adversarial`, then K times loss, gradient and AdamW.
 *
 * Inputs: those of the phases' graphs, under their names, except `velocity`, which starts at zero, and AdamW's rates,
 * which are named `ofStep` k. Outputs: parameters and moments after the last step (`next <input>`); `loss` and `norm`
 * `ofStep` k; `advEmbedding`, `advDistance`, `advLoss` and `cleanDistance` at the weights before the first step, if the
 * phases give them; with a constraint `lastCleanDistance`.
 */
export function batchGraph(
  parameters: Parameters,
  { ascent, distance, primal }: TrainingGraphs,
  attack: FixedSteps,
  options: BatchGraphOptions,
): Outputs {
  const g = new Graph();
  const call = (outputs: Outputs, given: Outputs): Outputs => inlined(g, outputs, given);

  let moving: Outputs = attack.momentum > 0 ? { velocity: g.zeros("float32", ascent.next!.shape) } : {};
  for (let i = 0; i < attack.steps; i++) {
    const { next, nextVelocity } = call(ascent, moving);
    moving = { adversarial: next!, ...(nextVelocity && { velocity: nextVelocity }) };
  }
  const { adversarial } = moving;

  const optimizer = adamWGraph(parameters, options, options.clipGradient);
  const learnedNames = [...parameters.keys()].flatMap((name) => [name, ...momentNames(name)]);
  let learned: Outputs = {};
  const outputs: Record<string, Value> = distance ? { ...call(distance, {}) } : {};
  for (let k = 0; k < options.stepsPerBatch; k++) {
    const result = call(primal, { ...learned, adversarial: adversarial! });
    const { loss, advEmbedding, advDistance, advLoss, cleanDistance } = result;
    if (k === 0)
      Object.assign(outputs, { advEmbedding, advDistance }, advLoss && { advLoss }, cleanDistance && { cleanDistance });
    if (cleanDistance) outputs[lastCleanDistance] = cleanDistance;
    const rates = ["stepSize", "correction", "keep"].map(
      (name) => [name, g.input(ofStep(name, k), "float32", [])] as const,
    );
    const { norm, ...next } = call(optimizer, { ...learned, ...result, ...Object.fromEntries(rates) });
    learned = Object.fromEntries(learnedNames.map((name) => [name, next[nextName(name)]!]));
    Object.assign(outputs, { [ofStep("loss", k)]: loss, [ofStep("norm", k)]: norm });
  }
  for (const [name, value] of Object.entries(learned)) outputs[nextName(name)] = value;
  return outputs;
}
