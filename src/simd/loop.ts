import { type Code, moduleOf, op, type WasmType } from "./wasm.ts";

/** What is used of the standard, whose types come with those of browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

/** Four elements, in a local of the WebAssembly function. */
export interface Lanes {
  readonly local: number;
}

/** Element-wise arithmetic in float32; a number stands for all elements. */
export interface Arithmetic<V> {
  add(a: V, b: V | number): V;
  sub(a: V, b: V | number): V;
  mul(a: V, b: V | number): V;
  div(a: V, b: V | number): V;
  sqrt(a: V): V;
}

/** What a loop computes of each element of its arrays. */
export interface LoopResults {
  /** Take the places of the elements of the first arrays. */
  readonly writes?: readonly Lanes[];
  /** Is added up over all elements; must be 0 where all arrays are. */
  readonly sum?: Lanes;
}

/**
 * Goes over arrays of one length, from their first element to their last.
 *
 * @returns the sum, 0 when the loop has none
 */
export type Loop = (arrays: readonly Float32Array[], scalars?: readonly number[]) => number;

/**
 * Elements that are copied into the loop's memory at a time: a few arrays of so many fit into a core's caches, and half as
 * many take AdamW 1.5 times as long, for twice as many calls (AMD's Zen 5, measured).
 */
const chunk = 2 ** 12;
const pageBytes = 2 ** 16;
const chunkBytes = 4 * chunk;
/**
 * Where the arrays lie in the loop's memory: half a memory page off the places that allocators like. Some processors copy
 * ten times slower between places that are a little apart modulo the page (AMD's Zen 3, measured).
 */
const placeOf = (array: number): number => 2048 + array * chunkBytes;

/**
 * A loop over float32 arrays in WebAssembly, four elements at a time, for what is done to all of a model's weights: V8
 * computes such a loop in JavaScript one element at a time, in float64. Sums are float32 within a chunk of 4096 elements.
 *
 * @param body writes down, once, what is done to four elements
 */
export function simdLoop(
  counts: { readonly arrays: number; readonly scalars?: number },
  body: (arithmetic: Arithmetic<Lanes>, arrays: readonly Lanes[], scalars: readonly Lanes[]) => LoopResults,
): Loop {
  const { arrays: arrayCount, scalars: scalarCount = 0 } = counts;
  const builder = new Builder(scalarCount);
  const arrays = Array.from({ length: arrayCount }, (_, i) => builder.array(i));
  const scalars = Array.from({ length: scalarCount }, (_, i) => builder.scalar(i));
  const { writes = [], sum } = body(builder, arrays, scalars);
  const bytes = builder.finish(writes, sum, Math.ceil(placeOf(arrayCount) / pageBytes));
  const { memory, run } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Exports;
  const places = Array.from({ length: arrayCount }, (_, i) => new Float32Array(memory.buffer, placeOf(i), chunk));

  return (arrays, scalars = []) => {
    const { length } = arrays[0]!;
    let total = 0;
    for (let start = 0; start < length; start += chunk) {
      const count = Math.min(chunk, length - start);
      for (const [i, place] of places.entries()) {
        // The last vector may reach beyond the arrays, into what must not count.
        if (count < chunk) place.fill(0);
        place.set(arrays[i]!.subarray(start, start + count));
      }
      total += run(4 * count, ...scalars);
      for (const i of writes.keys()) {
        arrays[i]!.set(count < chunk ? places[i]!.subarray(0, count) : places[i]!, start);
      }
    }
    return total;
  };
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** @param bytes how far the loop goes */
  readonly run: (bytes: number, ...scalars: number[]) => number;
}

/** Writes the function down: every result is a local of its own, which V8 assigns registers to. */
class Builder implements Arithmetic<Lanes> {
  readonly #parameters: readonly WasmType[];
  /** Beside the parameters: the offset from the arrays' starts, the sum, then every result. */
  readonly #locals: WasmType[] = ["i32", "v128"];
  readonly #offset: number;
  readonly #sum: number;
  readonly #before: number[] = [];
  readonly #inside: number[] = [];

  constructor(scalars: number) {
    this.#parameters = ["i32", ...Array.from({ length: scalars }, () => "f32" as const)];
    this.#offset = this.#parameters.length;
    this.#sum = this.#offset + 1;
  }

  array(i: number): Lanes {
    return this.#keep(this.#inside, [...op.get(this.#offset), ...op.load(placeOf(i))]);
  }

  scalar(i: number): Lanes {
    return this.#keep(this.#before, [...op.get(1 + i), ...op.splat]);
  }

  add(a: Lanes, b: Lanes | number): Lanes {
    return this.#binary(op.add, a, b);
  }

  sub(a: Lanes, b: Lanes | number): Lanes {
    return this.#binary(op.sub, a, b);
  }

  mul(a: Lanes, b: Lanes | number): Lanes {
    return this.#binary(op.mul, a, b);
  }

  div(a: Lanes, b: Lanes | number): Lanes {
    return this.#binary(op.div, a, b);
  }

  sqrt(a: Lanes): Lanes {
    return this.#keep(this.#inside, [...op.get(a.local), ...op.sqrt]);
  }

  #binary(opcode: Code, a: Lanes, b: Lanes | number): Lanes {
    return this.#keep(this.#inside, [
      ...op.get(a.local),
      ...(typeof b === "number" ? op.constant(b) : op.get(b.local)),
      ...opcode,
    ]);
  }

  #keep(where: number[], code: Code): Lanes {
    const local = this.#parameters.length + this.#locals.push("v128") - 1;
    where.push(...code, ...op.set(local));
    return { local };
  }

  finish(writes: readonly Lanes[], sum: Lanes | undefined, pages: number): Uint8Array<ArrayBuffer> {
    const store = (lanes: Lanes, i: number): Code => [
      ...op.get(this.#offset),
      ...op.get(lanes.local),
      ...op.store(placeOf(i)),
    ];
    const addUp = sum ? [...op.get(this.#sum), ...op.get(sum.local), ...op.add, ...op.set(this.#sum)] : [];
    const onward = [...op.get(this.#offset), ...op.i32(16), ...op.i32Add, ...op.tee(this.#offset)];
    const lane = (i: number): Code => [...op.get(this.#sum), ...op.lane(i)];
    return moduleOf(this.#parameters, "f32", this.#locals, pages, [
      ...this.#before,
      ...op.loop,
      ...this.#inside,
      ...writes.flatMap(store),
      ...addUp,
      ...onward,
      ...[...op.get(0), ...op.i32Less, ...op.againIf],
      ...op.end,
      ...lane(0),
      ...[1, 2, 3].flatMap((i) => [...lane(i), ...op.f32Add]),
    ]);
  }
}
