import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // ONNX Runtime uses every core by itself; two test files at a time keep both cores busy without thrashing.
    maxWorkers: 2,
    pool: "forks",
  },
});
