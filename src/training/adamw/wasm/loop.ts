import { LoopMemory } from "./memory.ts";
import { type Code, instantiate, moduleOf, op, type WasmType } from "./wasm.ts";

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

/** Results of a loop for each element of its arrays. */
export interface LoopResults {
  /** New elements of the first arrays. */
  readonly writes?: readonly Lanes[];
  /** Term that is summed over all elements; must be 0 where all arrays are 0. */
  readonly sum?: Lanes;
}

/**
 * Goes over arrays of one length, from their first element to their last.
 *
 * @returns the sum, 0 when the loop has none
 */
export type Loop = (arrays: readonly Float32Array[], scalars?: readonly number[]) => number;

/**
 * A loop over float32 arrays in WebAssembly, four elements at a time, for operations on all of a model's weights. In
 * JavaScript, V8 computes such a loop one element at a time, in float64. Sums are float32 within a chunk of elements.
 *
 * @param body emits, once, the operations on four elements
 * @param memory arrays that lie in it are used in place
 */
export function simdLoop(
  counts: { readonly arrays: number; readonly scalars?: number },
  body: (arithmetic: Arithmetic<Lanes>, arrays: readonly Lanes[], scalars: readonly Lanes[]) => LoopResults,
  memory = new LoopMemory(),
): Loop {
  const builder = new Builder(counts.arrays, counts.scalars ?? 0);
  const { writes = [], sum } = body(builder, builder.arrays, builder.scalars);
  const run = instantiate(
    moduleOf(builder.parameters, "f32", builder.locals, builder.finish(writes, sum)),
    memory.wasm,
  );

  return (arrays, scalars = []) => {
    const { length } = arrays[0]!;
    const vectors = length - (length % 4);
    let total = 0;
    for (let start = 0; start < length; ) {
      const count = start < vectors ? Math.min(memory.chunk, vectors - start) : length - vectors;
      const addresses = arrays.map((array, i) => memory.load(i, array, start, count));
      total += run(4 * count, ...addresses, ...scalars);
      for (const i of writes.keys()) memory.store(i, arrays[i]!, start, count);
      start += count;
    }
    return total;
  };
}

/** Emits the function. Every result is a separate local, to which V8 assigns a register. */
class Builder implements Arithmetic<Lanes> {
  /** Length of the loop in bytes; the arrays' addresses; the scalars. */
  readonly parameters: readonly WasmType[];
  /** Beside the parameters: the offset from the arrays' addresses, the sum, then every result. */
  readonly locals: WasmType[] = ["i32", "v128"];
  readonly arrays: readonly Lanes[];
  readonly scalars: readonly Lanes[];
  readonly #offset: number;
  readonly #sum: number;
  readonly #before: number[] = [];
  readonly #inside: number[] = [];

  constructor(arrays: number, scalars: number) {
    const many = <T extends WasmType>(count: number, type: T): readonly T[] =>
      Array.from({ length: count }, () => type);
    this.parameters = ["i32", ...many(arrays, "i32"), ...many(scalars, "f32")];
    this.#offset = this.parameters.length;
    this.#sum = this.#offset + 1;
    this.arrays = many(arrays, "i32").map((_, i) => this.#keep(this.#inside, [...this.#address(i), ...op.load]));
    this.scalars = many(scalars, "f32").map((_, i) =>
      this.#keep(this.#before, [...op.get(1 + arrays + i), ...op.splat]),
    );
  }

  #address(array: number): Code {
    return [...op.get(1 + array), ...op.get(this.#offset), ...op.i32Add];
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
    const local = this.parameters.length + this.locals.push("v128") - 1;
    where.push(...code, ...op.set(local));
    return { local };
  }

  finish(writes: readonly Lanes[], sum: Lanes | undefined): Code {
    const store = (lanes: Lanes, i: number): Code => [...this.#address(i), ...op.get(lanes.local), ...op.store];
    const addUp = sum ? [...op.get(this.#sum), ...op.get(sum.local), ...op.add, ...op.set(this.#sum)] : [];
    const onward = [...op.get(this.#offset), ...op.i32(16), ...op.i32Add, ...op.tee(this.#offset)];
    const lane = (i: number): Code => [...op.get(this.#sum), ...op.lane(i)];
    return [
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
    ];
  }
}
