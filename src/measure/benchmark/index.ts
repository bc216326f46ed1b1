export { missingLines } from "./missing.ts";
export { readSuite, suiteNames } from "./read.ts";
export {
  type BenchmarkedEncoder,
  type BenchmarkOptions,
  type BenchmarkPart,
  type BenchmarkProgress,
  runBenchmark,
} from "./run.ts";
export type { Suite, SuiteData } from "./suite.ts";
