export { type EvaluateOptions, type EvaluationProgress, evaluate, type Outcomes } from "./evaluate.ts";
export { type AttackedExample, attackedExamples } from "./examples.ts";
export { type ImageRecord, ResultsFolder } from "./image-records.ts";
export { paired } from "./paired.ts";
