export { type BenchModel, type BenchModelName, benchModels } from "./architectures.ts";
export { countProducts, gemmRate, type ProductCount, totalFlops } from "./gemm.ts";
export { memoryRate } from "./memory.ts";
export { type BenchOptions, type BenchResult, bench, type PhaseTime, type Traffic } from "./step.ts";
export { type Spread, spreadOf } from "./timing.ts";
