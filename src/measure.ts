/**
 * Measurements: accuracy, attacks on embeddings, corruptions, fidelity, probes, interpretability, suites of data sets,
 * trade-offs; and their results as data.
 *
 * @module measure
 */
export {
  type EvaluateOptions,
  type EvaluationProgress,
  evaluate,
  type ImageRecord,
  type Outcomes,
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
export {
  type LinearProbe,
  linearProbe,
  nearestNeighbours,
  type Probed,
  type ProbeOptions,
  probe,
} from "./measure/probes/index.ts";
export { type FrontOptions, type FrontPoint, front } from "./measure/tradeoff/index.ts";
export type {
  AttackResult,
  Benchmark,
  BenchmarkRow,
  Corruptions,
  Evaluation,
  Fidelity,
  Interpretability,
  MissingResult,
  Probes,
  PublishedAccuracies,
  PublishedRow,
  SetResult,
  Stage,
  SuiteSet,
} from "./results/index.ts";
