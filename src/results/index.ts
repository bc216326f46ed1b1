export type {
  Benchmark,
  BenchmarkRow,
  MissingResult,
  PublishedAccuracies,
  PublishedRow,
  SetResult,
  SuiteSet,
} from "./benchmark.ts";
export type { BlendFront, MeasuredBlend } from "./blend.ts";
export type { CorruptedEncoder, CorruptionRow, Corruptions } from "./corruptions.ts";
export type {
  AttackResult,
  Evaluation,
  Evaluations,
  PairedDifference,
  PairedEvaluation,
  PicturedExample,
  Stage,
} from "./evaluation.ts";
export type { Drift, Fidelity, FidelityOf, Spread } from "./fidelity.ts";
export type { Contents, Environment, Finding, FindingKind, Picture } from "./finding.ts";
export { holdsFinding, keepFinding, readFinding } from "./folder.ts";
export type { Interpretability, InterpretabilityOf, NearestTexts, Synthesis } from "./interpretability.ts";
export { openKept } from "./journal.ts";
export type { ProbedEncoder, Probes } from "./probes.ts";
export { spreadOf } from "./spread.ts";
