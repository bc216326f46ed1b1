/** Make a vision encoder robust, attack it, measure it. `lore-vision/autodiff` is the differentiator alone. */
export { type Norm, type Pgd, type PgdOptions, pgd, type ThreatModel } from "./attacks/index.ts";
export {
  type ImageBatch,
  type ImageClass,
  type ImageFolderOptions,
  type ImageItem,
  type ImageSource,
  imageFolder,
  openBatches,
  openSource,
  parquetDataset,
  type SyntheticOptions,
  synthetic,
  webDataset,
} from "./data/index.ts";
export { LoreError, UsageError } from "./errors.ts";
export {
  type AttackResult,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  openTemplates,
  type ZeroShotOptions,
  zeroShotClassifier,
} from "./evaluation/index.ts";
export {
  type Classifier,
  type Encoder,
  type LoadOptions,
  loadEncoder,
  type Parameters,
  saveEncoder,
  type VitArchitecture,
  VitEncoder,
} from "./models/index.ts";
export {
  type ClassMargin,
  type Constraint,
  type Dual,
  fare,
  lore,
  type Margin,
  naive,
  type Objective,
  type TecoaOptions,
  tecoa,
} from "./objectives/index.ts";
export {
  type FinetuneOptions,
  type FinetuneResult,
  finetune,
  NonFiniteError,
  type StepMetrics,
} from "./training/index.ts";
