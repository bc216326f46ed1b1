/** Make a vision encoder robust, attack it, measure it. `lore-vision/autodiff` is the differentiator alone. */
export {
  type Apgd,
  type ApgdOptions,
  type Attack,
  type AutoAttack,
  type AutoAttackOptions,
  type AutoAttackVersion,
  apgd,
  attackList,
  autoAttack,
  type Fab,
  type FabOptions,
  fab,
  type Noise,
  type NoiseOptions,
  type Norm,
  noise,
  type Pgd,
  type PgdOptions,
  pgd,
  type Square,
  type SquareOptions,
  square,
  type ThreatModel,
} from "./attacks/index.ts";
export { blend, HeldOutImages } from "./blending/index.ts";
export {
  allCorruptions,
  type Corruption,
  type CorruptOptions,
  commonCorruptions,
  corrupt,
  extraCorruptions,
  type FrostTexture,
  openFrost,
  type Severity,
  withNoise,
} from "./corruptions/index.ts";
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
  type Remark,
  type SyntheticOptions,
  synthetic,
  webDataset,
} from "./data/index.ts";
export { LoreError, UsageError } from "./errors.ts";
export { type Framing, framingAt, usualFraming } from "./framing.ts";
export {
  type EmbedImagesOptions,
  type EmbedSourceOptions,
  embedImages,
  embedSource,
  openTemplates,
  type SourceEmbeddings,
  type ZeroShotOptions,
  zeroShotClassifier,
} from "./inference/index.ts";
export {
  type EvaluateOptions,
  type EvaluationProgress,
  evaluate,
  type ImageRecord,
  ResultsFolder,
} from "./measure/accuracy/index.ts";
export {
  type BenchmarkedEncoder,
  type BenchmarkOptions,
  type BenchmarkPart,
  type BenchmarkProgress,
  readSuite,
  runBenchmark,
  type Suite,
  type SuiteData,
} from "./measure/benchmark/index.ts";
export { CorruptionCounts, type EvaluateCorruptionsOptions, evaluateCorruptions } from "./measure/corruptions/index.ts";
export {
  attackEmbeddings,
  type EmbeddingAttackOptions,
  type EmbeddingAttackResult,
  type EmbeddingGoal,
  type MovedEmbedding,
  type Nearness,
} from "./measure/embedding-attack/index.ts";
export { type FidelityOptions, type MeasuredFidelity, measureFidelity } from "./measure/fidelity/index.ts";
export {
  alignment,
  gini,
  type Interpreted,
  type InterpretOptions,
  type InterpretProgress,
  interpret,
  KeptInterpretation,
  manyTemplates,
  nearestTexts,
  type Similarity,
  type SynthesisOptions,
  type SynthesizedImages,
  similarityOf,
  synthesize,
  type View,
} from "./measure/interpretability/index.ts";
export { type LinearProbe, linearProbe, nearestNeighbours, type ProbeOptions, probe } from "./measure/probes/index.ts";
export { type FrontOptions, type FrontPoint, front } from "./measure/tradeoff/index.ts";
export {
  type Classifier,
  type Encoder,
  type Float16Copy,
  type LoadOptions,
  loadEncoder,
  type Parameters,
  saveEncoder,
  saveFloat16Copies,
  type VitArchitecture,
  VitEncoder,
  withHead,
} from "./models/index.ts";
export {
  type ClassMargin,
  type Constraint,
  type Distance,
  type Dual,
  distanceOf,
  fare,
  lore,
  type Margin,
  naive,
  type Objective,
  type RobustOptions,
  robust,
  type TecoaOptions,
  tecoa,
} from "./objectives/index.ts";
export { type ReportOptions, report } from "./report/index.ts";
export type {
  AttackResult,
  Benchmark,
  BenchmarkRow,
  Evaluation,
  MissingResult,
  PublishedAccuracies,
  PublishedRow,
  SetResult,
  Stage,
  SuiteSet,
} from "./results/index.ts";
export {
  type FinetuneOptions,
  type FinetuneResult,
  finetune,
  NonFiniteError,
  type StepMetrics,
} from "./training/index.ts";
