import type { Parameters } from "../../models/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { type AdamWOptions, adamWRates, adamWUpdate } from "./formula.ts";
import { type Loop, LoopMemory, simdLoop } from "./wasm/index.ts";

interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/**
 * AdamW (Loshchilov and Hutter 2019) with PyTorch's defaults, on all tensors alike, as RobustVLM trains. Changes the
 * parameters in place.
 */
export class AdamW {
  readonly #moments: ReadonlyMap<string, Moments>;
  readonly #options: AdamWOptions;
  readonly #loop: Loop;
  #steps = 0;

  constructor(parameters: Parameters, options: AdamWOptions) {
    this.#options = options;
    const count = [...parameters.values()].reduce((sum, { data }) => sum + data.length, 0);
    // Arrays that only the loop uses lie in its memory.
    const memory = new LoopMemory(2 * count);
    this.#loop = stepLoop(options, memory);
    this.#moments = new Map(
      [...parameters].map(([name, { data }]) => [
        name,
        { first: memory.allocate(data.length), second: memory.allocate(data.length) },
      ]),
    );
  }

  /**
   * @param gradient the gradient of the loss by parameter name; pass its negative to ascend
   * @param scale a factor for the gradient
   */
  step(parameters: Parameters, gradient: (name: string) => Float32Array, learningRate: number, scale = 1): void {
    const { stepSize, correction, keep } = adamWRates(++this.#steps, learningRate, this.#options);
    for (const [name, { data }] of parameters) {
      const { first, second } = this.#moments.get(name)!;
      this.#loop([data, first, second, gradient(name)], [stepSize, correction, keep, scale]);
    }
  }

  /** The optimiser's state as tensors, for a checkpoint; shares memory with the optimiser. */
  state(): ReadonlyMap<string, Tensor> {
    const state = new Map<string, Tensor>([
      ["steps", { dtype: "float64", shape: [], data: Float64Array.of(this.#steps) }],
    ]);
    for (const [name, { first, second }] of this.#moments) {
      state.set(`first.${name}`, { dtype: "float32", shape: [first.length], data: first });
      state.set(`second.${name}`, { dtype: "float32", shape: [second.length], data: second });
    }
    return state;
  }

  /** Forgets all steps. */
  reset(): void {
    this.#steps = 0;
    for (const { first, second } of this.#moments.values()) {
      first.fill(0);
      second.fill(0);
    }
  }

  /** Continues from a state returned by `state`. */
  restore(state: ReadonlyMap<string, Tensor>): void {
    this.#steps = Number(state.get("steps")!.data[0]);
    for (const [name, { first, second }] of this.#moments) {
      first.set(state.get(`first.${name}`)!.data as Float32Array);
      second.set(state.get(`second.${name}`)!.data as Float32Array);
    }
  }
}

function stepLoop(options: AdamWOptions, memory: LoopMemory): Loop {
  return simdLoop(
    { arrays: 4, scalars: 4 },
    (k, arrays, scalars) => {
      const [parameter, first, second, gradient] = [arrays[0]!, arrays[1]!, arrays[2]!, arrays[3]!];
      const [stepSize, correction, keep, scale] = [scalars[0]!, scalars[1]!, scalars[2]!, scalars[3]!];
      const state = { parameter, first, second };
      const next = adamWUpdate(k, state, k.mul(gradient, scale), { stepSize, correction, keep }, options);
      return { writes: [next.parameter, next.first, next.second] };
    },
    memory,
  );
}
