export { type FinetuneOptions, type FinetuneResult, finetune } from "./finetune.ts";
export { formatBytes, type MemoryPlan, planMemory, trainingBytes } from "./memory.ts";
export type { StepMetrics } from "./metrics.ts";
export { NonFiniteError } from "./non-finite.ts";
export { readRun, trainedEncoder } from "./run-folder.ts";
export { defaultSettings, type TrainingSettings } from "./settings.ts";
export { labelledClasses } from "./supervision.ts";
export { TrainingStep } from "./training-step.ts";
