export { type BenchModelName, benchModels } from "./architectures.ts";
export { gemmRate } from "./gemm.ts";
export { memoryRate } from "./memory.ts";
export { type BenchOptions, type BenchResult, bench, type PhaseTime } from "./step.ts";
