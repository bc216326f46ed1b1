import { discard } from "./discard.ts";

/** The largest that glibc lets its threshold for blocks straight from the system become, less what it rounds a block up by. */
const largestThreshold = 2 ** 25 - 2 ** 16;

/** Blocks up to this many bytes come out of the heap once `HeldHeap` has raised that threshold. */
export const largestHeapBlock = 31 * 2 ** 20;

/**
 * Memory that this process has had and malloc would give back to the system, page by page, to take it again page by page at
 * the next run, as large results come and go with every node: a page costs 0.5 to 10 microseconds, a training step up to
 * a third of its time.
 *
 * glibc takes blocks above a threshold from the system each time. It raises the threshold to the size of the largest such
 * block that was freed, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD): one is freed here. It also gives back what is free at the
 * end of the heap, so a block is put there and kept. Nobody writes to either; they take addresses, not memory. With another
 * malloc this does nothing.
 */
export class HeldHeap {
  #heldBytes = 0;
  #end: Uint8Array | undefined;

  /** Holds from the start what the process has had so far. */
  static async open(): Promise<HeldHeap> {
    discard([Buffer.allocUnsafeSlow(largestThreshold)]);
    // Only then has it been freed.
    await new Promise((resolve) => setImmediate(resolve));
    const heap = new HeldHeap();
    heap.hold();
    return heap;
  }

  private constructor() {}

  /** From now on twice as much stays as the process has had at most. To be called again now and then, as that grows. */
  hold(): void {
    const most = process.resourceUsage().maxRSS * 1024;
    if (process.platform !== "linux" || most <= this.#heldBytes) return;
    // What is free within the heap is taken first, and is less than `most`: the last block lies beyond it by the rest.
    const blocks = addresses(3 * most);
    if (blocks.length === 0) return;
    const before = this.#end;
    this.#end = blocks.pop();
    discard(before ? [...blocks, before] : blocks);
    this.#heldBytes = 2 * most;
  }

  /** Lets malloc give it back. */
  release(): void {
    if (this.#end) discard([this.#end]);
    this.#end = undefined;
    this.#heldBytes = 0;
  }
}

/** Blocks of that many bytes in all, and the one after them. None where the process may not have so many addresses. */
function addresses(bytes: number): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  try {
    while (blocks.length * largestHeapBlock < bytes + largestHeapBlock) {
      blocks.push(Buffer.allocUnsafeSlow(largestHeapBlock));
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    discard(blocks);
    return [];
  }
  return blocks;
}
