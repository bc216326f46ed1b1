import { discard } from "./discard.ts";

/** The largest that glibc lets it become, less a page, of whatever size, that it rounds a block up by. */
const largestThreshold = 2 ** 25 - 2 ** 16;

/**
 * Has malloc keep what is freed for the next to ask, as large results come and go with every node: blocks above a threshold
 * come from the system, page by page, and go back there when freed, as does free memory of twice that at the end of a heap.
 * glibc raises the threshold to the size of the largest such block that was freed, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD),
 * so one is freed here; nobody writes to it, hence it costs nothing. With another malloc this does nothing. Programs that
 * release their memory are slower by up to a seventh without.
 */
export function keepFreedMemory(): void {
  discard([new Uint8Array(largestThreshold)]);
}
