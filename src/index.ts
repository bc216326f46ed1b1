/**
 * Make a vision encoder robust, attack it, measure it: the main functions and their types. Settings and parts have their
 * own entry points: `lore-vision/attacks`, `/data`, `/measure`, `/models`, `/autodiff` and `/web`.
 *
 * @module index
 */
export { type Attack, type AutoAttack, type AutoAttackOptions, autoAttack, type Norm } from "./attacks/index.ts";
export { blend } from "./blending/index.ts";
export {
  type ImageFolderOptions,
  type ImageSource,
  imageFolder,
  type OpenSourceOptions,
  openSource,
} from "./data/index.ts";
export { LoreError, UsageError } from "./errors.ts";
export { type EmbedImagesOptions, embedImages } from "./inference/index.ts";
export { type EvaluateOptions, type EvaluationProgress, evaluate } from "./measure/accuracy/index.ts";
export {
  attackEmbeddings,
  type EmbeddingAttackOptions,
  type EmbeddingAttackResult,
  type EmbeddingGoal,
} from "./measure/embedding-attack/index.ts";
export { type Encoder, type LoadOptions, loadEncoder, type SaveOptions, saveEncoder } from "./models/index.ts";
export {
  type FareOptions,
  fare,
  type LoreOptions,
  lore,
  type NaiveOptions,
  naive,
  type Objective,
  type RobustOptions,
  robust,
  type TecoaOptions,
  tecoa,
} from "./objectives/index.ts";
export { type ReportOptions, report } from "./report/index.ts";
export type { AttackResult, Evaluation } from "./results/index.ts";
export type { Device } from "./runtime/index.ts";
export {
  type FinetuneOptions,
  type FinetuneResult,
  finetune,
  NonFiniteError,
  type StepMetrics,
} from "./training/index.ts";
