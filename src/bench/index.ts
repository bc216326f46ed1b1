export { countProducts, gemmRate, type ProductCount, totalFlops } from "./gemm.ts";
export { type BenchModelName, benchModels } from "./models.ts";
export { type BenchOptions, type BenchResult, bench, type PhaseTime } from "./step.ts";
export type { Spread } from "./timing.ts";
