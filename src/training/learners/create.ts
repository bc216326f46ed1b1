import { keepsTensors } from "../../runtime/index.ts";
import { checkDevice, residentAttack } from "../attack-support.ts";
import type { StepOptions } from "../step/options.ts";
import { BatchLearner } from "./experimental/batch.ts";
import { HostLearner } from "./host.ts";
import type { Learner, Lesson } from "./learner.ts";
import { ResidentLearner } from "./resident.ts";

/**
 * Location of weights and moments between programs. In host memory, each phase of a step is a separate program; or they
 * stay in the device's memory; or one program does everything for a batch, so that they cross to the device and back once.
 */
export type LearnerKind = "host" | "device" | "host, one program a batch";

/** The cheapest kind for the device: its own memory if the binding can name it, else few crossings. */
export function usualLearner({ device = "cpu", batch = Infinity, microBatch }: StepOptions): LearnerKind {
  if (device === "cpu") return "host";
  if (keepsTensors(device)) return "device";
  return batch <= microBatch ? "host, one program a batch" : "host";
}

export async function createLearner(kind: LearnerKind, lesson: Lesson, options: StepOptions): Promise<Learner> {
  checkDevice(lesson.objective.attack, options.device);
  if (kind === "host") return HostLearner.create(lesson, options);
  const attack = residentAttack(lesson.objective.attack);
  return (kind === "device" ? ResidentLearner : BatchLearner).create(lesson, attack, options);
}
