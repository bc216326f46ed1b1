import { expect, test } from "vitest";
import { discard } from "./discard.ts";
import { keepFreedMemory } from "./heap.ts";

const pageBytes = 4096;
const [blocks, blockBytes] = [5, 2 ** 23];

/** Page faults of writing to fresh blocks, 40 MiB in all, before they are given back. */
function faultsOfBlocks(): number {
  const before = process.resourceUsage().minorPageFault;
  discard(Array.from({ length: blocks }, () => new Uint8Array(blockBytes).fill(1)));
  return process.resourceUsage().minorPageFault - before;
}

test.runIf(process.platform === "linux")("what is freed is there for the next to ask", () => {
  keepFreedMemory();
  faultsOfBlocks();
  const faults = Math.min(...Array.from({ length: 5 }, faultsOfBlocks));
  // Taken from the system anew, every page would be one.
  expect(faults).toBeLessThan((blocks * blockBytes) / pageBytes / 10);
});
