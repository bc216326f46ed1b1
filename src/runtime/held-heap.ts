import { isMainThread } from "node:worker_threads";
import { discard } from "./discard.ts";
import { peakMemoryBytes } from "./peak-memory.ts";
import { type CompileOptions, largestHeapBlock } from "./program.ts";

/** The largest that glibc lets its threshold for blocks straight from the system become, less what it rounds a block up by. */
const largestThreshold = 2 ** 25 - 2 ** 16;

/** Setting that makes glibc keep that threshold as it is. */
const tuned =
  ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_"].some(
    (name) => process.env[name] !== undefined,
  ) || /malloc\.(mmap|trim|top)/.test(process.env.GLIBC_TUNABLES ?? "");

/** Whether a heap can be held here. Other systems' mallocs were not measured; another thread has a heap of another kind. */
export const canHoldHeap = process.platform === "linux" && isMainThread && !tuned;

/**
 * How programs are opened that take turns on all cores: what each needs comes out of the heap that all share, which then is
 * to be held (`HeldHeap`) where `releaseMemory` says so, and none waits busily for its next run.
 */
export function takingTurns(options: CompileOptions): CompileOptions & { readonly releaseMemory: boolean } {
  return { ...options, releaseMemory: canHoldHeap && (options.device ?? "cpu") === "cpu", releaseCores: true };
}

/**
 * Memory that this process has had and malloc would give back to the system, page by page, to take it again page by page at
 * the next run, as large results come and go with every node: a page costs 0.5 to 10 microseconds, a training step up to
 * a third of its time.
 *
 * glibc takes blocks above a threshold from the system each time. It raises the threshold to the size of the largest such
 * block that was freed, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD): some are freed here. It also gives back what is free at
 * the end of the heap, so a block is put there and kept. Nobody writes to them; they take addresses, not memory. With another
 * malloc this does nothing.
 */
export class HeldHeap {
  #heldBytes = 0;
  #end: Uint8Array | undefined;

  /** Holds from the start twice what the process has had so far. */
  static async open(): Promise<HeldHeap> {
    // More of them than find place within the heap: some come from the system.
    discard(addresses(peakMemoryBytes() + largestThreshold, largestThreshold));
    // Only then have they been freed.
    await new Promise((resolve) => setImmediate(resolve));
    const heap = new HeldHeap();
    heap.hold();
    return heap;
  }

  private constructor() {}

  /** Holds twice the process's peak memory from now on. Call it again from time to time, as the peak grows. */
  hold(): void {
    const peakBytes = peakMemoryBytes();
    if (peakBytes <= this.#heldBytes) return;
    // If it fails, the next try is when memory has doubled.
    this.#heldBytes = 2 * peakBytes;
    // Free pieces within the heap are taken first. The process uses less of it than `peakBytes`.
    const blocks = addresses(3 * peakBytes, largestHeapBlock);
    if (blocks.length === 0) return;
    const before = this.#end;
    this.#end = blocks.pop();
    discard(before ? [...blocks, before] : blocks);
  }

  /** Lets malloc give it back. */
  release(): void {
    if (this.#end) discard([this.#end]);
    this.#end = undefined;
    this.#heldBytes = 0;
  }
}

/** Blocks of that many bytes in all, and the one after them; none where the process may not have so many addresses. */
function addresses(bytes: number, blockBytes: number): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  const before = process.memoryUsage.rss();
  try {
    while (blocks.length * blockBytes < bytes + blockBytes) {
      blocks.push(Buffer.allocUnsafeSlow(blockBytes));
      // Node.js 24.0 to 24.11.0 writes zeros there.
      if (process.memoryUsage.rss() > before + blockBytes) throw new Error("Addresses took memory.");
    }
    return blocks;
  } catch {
    // Without it, everything works, but slower.
    discard(blocks);
    return [];
  }
}
