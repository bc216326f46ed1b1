export { CorruptionCounts } from "./counts.ts";
export { type EvaluateCorruptionsOptions, evaluateCorruptions, usualNoise } from "./evaluate.ts";
