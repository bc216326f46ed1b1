import { maxWasmPages, type WasmMemory, wasmMemory, wasmPageBytes } from "./wasm.ts";

/** Largest number of a loop's arrays. */
const maxArrays = 4;
/**
 * Elements that go through the memory at a time: a few arrays of so many fit into a core's caches, and each chunk costs a
 * call (AdamW of 88 million weights: 137 to 178 ms with 2^12, 111 with this, on AMD's Zen 5).
 */
const chunk = 2 ** 14;
const chunkBytes = 4 * chunk;
/**
 * Where the places begin that arrays are copied to: half a memory page off those that allocators like. Some processors copy ten
 * times slower between places that are a little apart modulo the page (AMD's Zen 3, measured).
 */
const firstPlace = 2048;
const firstAllocated = firstPlace + maxArrays * chunkBytes;

/** Memory that loops work in. Arrays that lie in it are used in place, all others copied through it, a chunk at a time. */
export class LoopMemory {
  readonly wasm: WasmMemory;
  readonly chunk = chunk;
  readonly #places: readonly Float32Array[];
  #allocated = firstAllocated;

  /** @param capacity elements of the arrays that will lie in it; what is beyond 4 GiB lies elsewhere */
  constructor(capacity = 0) {
    const bytes = firstAllocated + 4 * capacity;
    this.wasm = wasmMemory(Math.min(maxWasmPages, Math.ceil(bytes / wasmPageBytes)));
    const { buffer } = this.wasm;
    this.#places = Array.from(
      { length: maxArrays },
      (_, i) => new Float32Array(buffer, firstPlace + i * chunkBytes, chunk),
    );
  }

  /** Zeros: in the memory, if there is room. */
  allocate(length: number): Float32Array {
    const { buffer } = this.wasm;
    const start = this.#allocated;
    if (start + 4 * length > buffer.byteLength) return new Float32Array(length);
    this.#allocated += 4 * length;
    return new Float32Array(buffer, start, length);
  }

  /**
   * Makes part of an array ready.
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

  /** Brings back what was written at the address that `load` gave. */
  store(i: number, array: Float32Array, start: number, count: number): void {
    if (!this.#usedInPlace(array, count)) array.set(this.#places[i]!.subarray(0, count), start);
  }

  /** Whole vectors only: what follows an array's last elements is not to be touched. */
  #usedInPlace(array: Float32Array, count: number): boolean {
    return count >= 4 && array.buffer === this.wasm.buffer;
  }
}
