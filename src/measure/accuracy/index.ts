export { formatEpsilon } from "../../epsilon.ts";
export { type EmbedImagesOptions, embedImages } from "../../inference/embed.ts";
export { openTemplates } from "../../inference/templates.ts";
export { type ZeroShotOptions, zeroShotClassifier } from "../../inference/zero-shot.ts";
export {
  attackEmbeddings,
  type EmbeddingAttackOptions,
  type EmbeddingAttackResult,
  type EmbeddingGoal,
  type MovedEmbedding,
  type Nearness,
} from "../embedding-attack/embedding-attack.ts";
export {
  type EvaluateOptions,
  type EvaluationProgress,
  evaluate,
  type Outcomes,
} from "./evaluate.ts";
export { type AttackedExample, attackedExamples } from "./examples.ts";
export { type ImageRecord, ResultsFolder } from "./image-records.ts";

export { paired } from "./paired.ts";
export type { Stage, AttackResult, Evaluation, PairedDifference, PairedEvaluation } from "../../results/evaluation.ts";
