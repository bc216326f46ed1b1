import { isMainThread } from "node:worker_threads";
import { discard } from "./discard.ts";
import { peakMemoryBytes } from "./peak-memory.ts";
import { type CompileOptions, largestHeapBlock } from "./program.ts";

/** Maximum of glibc's dynamic mmap threshold, less the rounding of a block's size. */
const largestThreshold = 2 ** 25 - 2 ** 16;

/** Whether a setting makes glibc keep that threshold fixed. */
const tuned =
  ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_"].some(
    (name) => process.env[name] !== undefined,
  ) || /malloc\.(mmap|trim|top)/.test(process.env.GLIBC_TUNABLES ?? "");

/** Whether a heap can be held here. Other systems' mallocs were not measured; other threads have another kind of heap. */
export const canHoldHeap = process.platform === "linux" && isMainThread && !tuned;

/**
 * Options for programs that take turns on all cores. They allocate from a shared heap, to be held by a `HeldHeap` if
 * `releaseMemory` is set, and do not busy-wait for their next run.
 */
export function takingTurns(options: CompileOptions): CompileOptions & { readonly releaseMemory: boolean } {
  return { ...options, releaseMemory: canHoldHeap && (options.device ?? "cpu") === "cpu", releaseCores: true };
}

/**
 * Keeps freed memory in the process. Large results come and go with every node, and malloc would return their pages to
 * the system and fault them in again at the next run. A page costs 0.5 to 10 microseconds, up to a third of a training
 * step's time.
 *
 * glibc takes blocks above a threshold from the system each time. It raises the threshold to the size of the largest such
 * block that was freed, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD), so some are freed here. It also returns free memory
 * at the end of the heap, so a block is placed there and kept. Nobody writes to these blocks: they take addresses, not
 * memory. With another malloc this has no effect.
 */
export class HeldHeap {
  #heldBytes = 0;
  #end: Uint8Array | undefined;

  /** Opens a heap that holds twice the process's peak memory so far. */
  static async open(): Promise<HeldHeap> {
    // More than fit within the heap: some come from the system.
    discard(addresses(peakMemoryBytes() + largestThreshold, largestThreshold));
    // They are freed only then.
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

  /** Lets malloc return the memory. */
  release(): void {
    if (this.#end) discard([this.#end]);
    this.#end = undefined;
    this.#heldBytes = 0;
  }
}

/** Blocks of that many bytes in total, and one after them; none if the process's address space is too small. */
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
