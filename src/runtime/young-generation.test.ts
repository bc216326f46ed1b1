import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** Bytes of the young generation of a process that has made some 50 MB of objects which stay. */
function youngGeneration(setUp: string): number {
  const script = `
    import { getHeapSpaceStatistics } from "node:v8";
    import { keepYoungGenerationSmall } from ${JSON.stringify(new URL("young-generation.ts", import.meta.url).href)};
    ${setUp}
    globalThis.kept = Array.from({ length: 1_000_000 }, (_, i) => ({ i }));
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size);
  `;
  const args = ["--import", "tsx", "--input-type=module", "--eval", script];
  return Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

test("V8's young generation does not grow where it is told not to, and would", () => {
  const [told, untold] = [youngGeneration("keepYoungGenerationSmall();"), youngGeneration("")];
  expect(untold).toBeGreaterThan(8 * 2 ** 20);
  expect(told).toBeLessThan(untold / 3);
});
