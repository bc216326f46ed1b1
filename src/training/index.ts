export {
  defaultSettings,
  type FinetuneOptions,
  type FinetuneResult,
  finetune,
  type TrainingSettings,
} from "./finetune.ts";
export { LoreStep, NonFiniteError } from "./lore-step.ts";
export type { StepMetrics } from "./metrics.ts";
export { readRun } from "./run-folder.ts";
