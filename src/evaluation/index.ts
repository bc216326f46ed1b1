export {
  type AttackResult,
  type EvaluateOptions,
  type Evaluation,
  type EvaluationProgress,
  evaluate,
  formatEpsilon,
} from "./evaluate.ts";
