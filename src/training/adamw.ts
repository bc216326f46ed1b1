import type { Parameters } from "../models/encoder.ts";
import type { Tensor } from "../onnx/tensor.ts";

export interface AdamWOptions {
  /** Decoupled: every step shrinks all weights by learningRate * weightDecay. */
  readonly weightDecay: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** PyTorch's. */
export const adamWDefaults = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/**
 * AdamW (Loshchilov and Hutter 2019) with PyTorch's defaults, on all tensors alike, as RobustVLM trains. Changes the
 * parameters in place: one pass over memory a tensor.
 */
export class AdamW {
  readonly #moments: ReadonlyMap<string, { readonly first: Float32Array; readonly second: Float32Array }>;
  readonly #options: Required<AdamWOptions>;
  #steps = 0;

  constructor(parameters: Parameters, options: AdamWOptions) {
    this.#options = { ...adamWDefaults, ...options };
    this.#moments = new Map(
      [...parameters].map(([name, { data }]) => [
        name,
        { first: new Float32Array(data.length), second: new Float32Array(data.length) },
      ]),
    );
  }

  /** @param gradient the gradient of the loss by parameter name; pass its negative to ascend */
  step(parameters: Parameters, gradient: (name: string) => Float32Array, learningRate: number, scale = 1): void {
    const { beta1, beta2, epsilon, weightDecay } = this.#options;
    this.#steps++;
    const stepSize = learningRate / (1 - beta1 ** this.#steps);
    const correction = 1 / Math.sqrt(1 - beta2 ** this.#steps);
    const keep = 1 - learningRate * weightDecay;
    for (const [name, { data }] of parameters) {
      const { first, second } = this.#moments.get(name)!;
      const g = gradient(name);
      for (let i = 0; i < data.length; i++) {
        const gi = scale * g[i]!;
        const m = beta1 * first[i]! + (1 - beta1) * gi;
        const v = beta2 * second[i]! + (1 - beta2) * gi * gi;
        first[i] = m;
        second[i] = v;
        data[i] = data[i]! * keep - (stepSize * m) / (Math.sqrt(v) * correction + epsilon);
      }
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

  /** Continues from what `state` gave. */
  restore(state: ReadonlyMap<string, Tensor>): void {
    this.#steps = Number(state.get("steps")!.data[0]);
    for (const [name, { first, second }] of this.#moments) {
      first.set(state.get(`first.${name}`)!.data as Float32Array);
      second.set(state.get(`second.${name}`)!.data as Float32Array);
    }
  }
}
