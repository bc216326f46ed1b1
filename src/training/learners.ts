import type { Parameters } from "../models/encoder.ts";
import type { Objective } from "../objectives/index.ts";
import { keepsTensors } from "../runtime/index.ts";
import type { AdamW } from "./adamw.ts";
import { residentAttack } from "./attack-support.ts";
import { BatchLearner } from "./batch-learner.ts";
import { HostLearner } from "./host-learner.ts";
import type { Learner } from "./learner.ts";
import { ResidentLearner } from "./resident-learner.ts";
import type { TrainingGraphs } from "./training-graphs.ts";
import type { StepOptions } from "./training-step.ts";

/**
 * Where weights and moments are between programs: in host memory, each phase of a step a program of its own; in the
 * device's; or in host memory, with one program for all that happens to a batch, so that they cross to the device and back
 * once.
 */
export type LearnerKind = "host" | "device" | "host, one program a batch";

/** What costs the device least: its own memory where the binding can name it, else few crossings. */
export function usualLearner({ device = "cpu", batch = Infinity, microBatch }: StepOptions): LearnerKind {
  if (device === "cpu") return "host";
  if (keepsTensors(device)) return "device";
  return batch <= microBatch ? "host, one program a batch" : "host";
}

/** What every learner needs. */
export interface Lesson {
  /** Weights of the frozen original. */
  readonly original: Parameters;
  /** Weights in training, in arrays that the learner changes. */
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly objective: Objective;
  readonly graphs: TrainingGraphs;
}

export async function createLearner(kind: LearnerKind, lesson: Lesson, options: StepOptions): Promise<Learner> {
  const { original, parameters, optimizer, objective, graphs } = lesson;
  if (kind === "host") return HostLearner.create(original, parameters, optimizer, objective, graphs, options);
  const attack = residentAttack(objective.attack);
  if (kind === "device") return ResidentLearner.create(parameters, optimizer, attack, graphs, options);
  return BatchLearner.create(lesson, attack, options);
}
