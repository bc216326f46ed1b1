import { maxWasmPages, type WasmMemory, wasmMemory, wasmPageBytes } from "./wasm.ts";

/** Largest number of a loop's arrays. */
const maxArrays = 4;
/**
 * Elements copied through the memory at a time. A few arrays of this length fit into a core's caches. Each chunk costs
 * one call (AdamW of 88 million weights: 137 to 178 ms with 2^12, 111 ms with this, on AMD's Zen 5).
 */
const chunk = 2 ** 14;
const chunkBytes = 4 * chunk;
/**
 * Address of the first copied array: half a memory page off the addresses that allocators prefer. Some processors copy
 * ten times slower between addresses that differ little modulo the page (AMD's Zen 3, measured).
 */
const firstPlace = 2048;
const firstAllocated = firstPlace + maxArrays * chunkBytes;

/** Memory of loops. Arrays in it are used in place; all others are copied through it, a chunk at a time. */
export class LoopMemory {
  readonly wasm: WasmMemory;
  readonly chunk = chunk;
  readonly #places: readonly Float32Array[];
  #allocated = firstAllocated;

  /** @param capacity elements of the arrays to hold; arrays beyond 4 GiB lie elsewhere */
  constructor(capacity = 0) {
    const bytes = firstAllocated + 4 * capacity;
    this.wasm = wasmMemory(Math.min(maxWasmPages, Math.ceil(bytes / wasmPageBytes)));
    const { buffer } = this.wasm;
    this.#places = Array.from(
      { length: maxArrays },
      (_, i) => new Float32Array(buffer, firstPlace + i * chunkBytes, chunk),
    );
  }

  /** Allocates zeros, in the memory if there is room. */
  allocate(length: number): Float32Array {
    const { buffer } = this.wasm;
    const start = this.#allocated;
    if (start + 4 * length > buffer.byteLength) return new Float32Array(length);
    this.#allocated += 4 * length;
    return new Float32Array(buffer, start, length);
  }

  /**
   * Prepares part of an array.
   *
   * @param i the array's number among those of the loop
   * @returns its address; fewer than four elements are followed by zeros there
   */
  load(i: number, array: Float32Array, start: number, count: number): number {
    if (this.#usedInPlace(array, count)) return array.byteOffset + 4 * start;
    const place = this.#places[i]!;
    if (count < 4) place.fill(0, 0, 4);
    place.set(array.subarray(start, start + count));
    return place.byteOffset;
  }

  /** Copies back the results written at the address that `load` returned. */
  store(i: number, array: Float32Array, start: number, count: number): void {
    if (!this.#usedInPlace(array, count)) array.set(this.#places[i]!.subarray(0, count), start);
  }

  /** Whether an array is used in place. Whole vectors only: bytes after an array's last element must not be touched. */
  #usedInPlace(array: Float32Array, count: number): boolean {
    return count >= 4 && array.buffer === this.wasm.buffer;
  }
}
