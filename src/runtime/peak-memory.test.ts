import { expect, test } from "vitest";
import { numberPrintedBy } from "../testing/child-process.ts";
import { peakMemoryBytes } from "./peak-memory.ts";

const block = 2 ** 28;

test("the most memory that the process has had, also when it has less again", () => {
  let held: Uint8Array | undefined = new Uint8Array(block).fill(1);
  expect(peakMemoryBytes()).toBeGreaterThan(block);
  expect(held.length).toBe(block);
  held = undefined;
  expect(peakMemoryBytes()).toBeGreaterThan(block);
});

test("not the memory of the process that started it", () => {
  const held = new Uint8Array(block).fill(1);
  const url = new URL("./peak-memory.ts", import.meta.url).href;
  const child = numberPrintedBy(
    `import { peakMemoryBytes } from ${JSON.stringify(url)}; console.log(peakMemoryBytes());`,
  );
  expect(child).toBeGreaterThan(2 ** 24);
  expect(child).toBeLessThan(held.length);
});
