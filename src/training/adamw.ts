import { Graph, type Value } from "../graph/index.ts";
import type { Parameters } from "../models/encoder.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { type CompileOptions, compile, type Program } from "../runtime/index.ts";
import {
  type AdamWOptions,
  type AdamWRates,
  adamWDefaults,
  adamWRates,
  adamWUpdate,
  asScalars,
} from "./adamw-formula.ts";

/** Elements that a program updates at a time: few enough for the caches, enough for the fixed cost of a run. */
const chunk = 2 ** 18;

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
  readonly #options: Required<AdamWOptions>;
  /** Updates whole chunks on all cores; what is left of a tensor is updated here. */
  readonly #program: Program | undefined;
  #steps = 0;

  constructor(parameters: Parameters, options: AdamWOptions, program?: Program) {
    this.#options = { ...adamWDefaults, ...options };
    this.#program = program;
    this.#moments = new Map(
      [...parameters].map(([name, { data }]) => [
        name,
        { first: new Float32Array(data.length), second: new Float32Array(data.length) },
      ]),
    );
  }

  /** For many parameters: with a program that uses all cores. `dispose` frees it. */
  static async compile(parameters: Parameters, options: AdamWOptions, { threads }: CompileOptions): Promise<AdamW> {
    const large = [...parameters.values()].some(({ data }) => data.length >= chunk);
    const program = large ? await compile(chunkGraph(options), threads === undefined ? {} : { threads }) : undefined;
    return new AdamW(parameters, options, program);
  }

  /** @param gradient the gradient of the loss by parameter name; pass its negative to ascend */
  async step(
    parameters: Parameters,
    gradient: (name: string) => Float32Array,
    learningRate: number,
    scale = 1,
  ): Promise<void> {
    const rates = adamWRates(++this.#steps, learningRate, this.#options);
    for (const [name, { data }] of parameters) {
      const tensor = { parameter: data, gradient: gradient(name), ...this.#moments.get(name)! };
      const done = this.#program ? await updateChunks(this.#program, tensor, rates, scale) : 0;
      this.#updateRest(tensor, rates, scale, done);
    }
  }

  #updateRest({ parameter, gradient, first, second }: Arrays, rates: AdamWRates<number>, scale: number, from: number) {
    const { beta1, beta2, epsilon } = this.#options;
    const { stepSize, correction, keep } = rates;
    for (let i = from; i < parameter.length; i++) {
      const g = scale * gradient[i]!;
      const m = beta1 * first[i]! + (1 - beta1) * g;
      const v = beta2 * second[i]! + (1 - beta2) * g * g;
      first[i] = m;
      second[i] = v;
      parameter[i] = parameter[i]! * keep - (stepSize * m) / (Math.sqrt(v) * correction + epsilon);
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

  async dispose(): Promise<void> {
    await this.#program?.dispose();
  }
}

interface Arrays extends Moments {
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
}

/** A chunk's step. */
function chunkGraph(options: AdamWOptions): Readonly<Record<"parameter" | "first" | "second", Value>> {
  const g = new Graph();
  const array = (name: string): Value => g.input(name, "float32", [chunk]);
  const scalar = (name: string): Value => g.input(name, "float32", []);
  const state = { parameter: array("p"), first: array("m"), second: array("v") };
  const rates = { stepSize: scalar("stepSize"), correction: scalar("correction"), keep: scalar("keep") };
  return { ...adamWUpdate(state, g.mul(array("gradient"), scalar("scale")), rates, options) };
}

/** @returns how many elements from the start are updated */
async function updateChunks(
  program: Program,
  { parameter, gradient, first, second }: Arrays,
  rates: AdamWRates<number>,
  scale: number,
): Promise<number> {
  const scalars = { ...asScalars(rates), scale: Float32Array.of(scale) };
  let start = 0;
  for (; start + chunk <= parameter.length; start += chunk) {
    const part = (array: Float32Array): Float32Array => array.subarray(start, start + chunk);
    const [p, m, v] = [part(parameter), part(first), part(second)];
    await program.run({ ...scalars, gradient: part(gradient), p, m, v }, { parameter: p, first: m, second: v });
  }
  return start;
}
