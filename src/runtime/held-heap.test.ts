import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { discard } from "./discard.ts";
import { canHoldHeap, HeldHeap } from "./held-heap.ts";

const [blocks, blockBytes] = [20, 2 ** 23];
const pages = (blocks * blockBytes) / 4096;

/** Page faults of writing to fresh blocks, 160 MiB in all, which are given back afterwards. */
async function faultsOfBlocks(): Promise<number> {
  const before = process.resourceUsage().minorPageFault;
  discard(Array.from({ length: blocks }, () => new Uint8Array(blockBytes).fill(1)));
  await setImmediate();
  return process.resourceUsage().minorPageFault - before;
}

async function fewestOf(runs: number): Promise<number> {
  let fewest = Infinity;
  for (let i = 0; i < runs; i++) fewest = Math.min(fewest, await faultsOfBlocks());
  return fewest;
}

describe.runIf(canHoldHeap)("a held heap", () => {
  test("keeps what is freed until it is released", async () => {
    // Taken from the system anew, every page is a fault; a few others are those of JavaScript's own memory.
    expect(await fewestOf(3)).toBeGreaterThan(pages / 2);
    const heap = await HeldHeap.open();
    expect(await fewestOf(5)).toBeLessThan(pages / 10);
    heap.release();
    await faultsOfBlocks();
    expect(await fewestOf(3)).toBeGreaterThan(pages / 2);
  });

  test("stays held for one that is still open when another is released", async () => {
    const [one, other] = [await HeldHeap.open(), await HeldHeap.open()];
    one.release();
    expect(await fewestOf(5)).toBeLessThan(pages / 10);
    other.release();
  });

  test("takes addresses, not memory", async () => {
    const before = process.memoryUsage.rss();
    const heap = await HeldHeap.open();
    // It holds twice what the process has had at most; a test's process has had some 100 MiB.
    expect(process.memoryUsage.rss() - before).toBeLessThan(2 ** 24);
    heap.release();
  });
});
