import { expect, test } from "vitest";
import { numberPrintedBy } from "../testing/child-process.ts";

/** Bytes of the young generation of a process that has made some 50 MB of objects which stay. */
function youngGeneration(setUp: string): number {
  return numberPrintedBy(`
    import { getHeapSpaceStatistics } from "node:v8";
    import { keepYoungGenerationSmall } from ${JSON.stringify(new URL("young-generation.ts", import.meta.url).href)};
    ${setUp}
    globalThis.kept = Array.from({ length: 1_000_000 }, (_, i) => ({ i }));
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size);
  `);
}

test("V8's young generation does not grow where it is told not to, and would", () => {
  const [told, untold] = [youngGeneration("keepYoungGenerationSmall();"), youngGeneration("")];
  expect(untold).toBeGreaterThan(8 * 2 ** 20);
  expect(told).toBeLessThan(untold / 3);
});
