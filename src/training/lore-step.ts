import { perturbBatch } from "../attacks/index.ts";
import { LoreError, UsageError } from "../errors.ts";
import { cloneParameters, type Encoder, type Parameters } from "../models/encoder.ts";
import { dualParameters, gradientName, type Objective, thresholds } from "../objectives/index.ts";
import { describeType, type Tensor } from "../onnx/tensor.ts";
import { type CompileOptions, compile, type Program } from "../runtime/index.ts";
import { AdamW } from "./adamw.ts";
import { loreGraphs } from "./lore-graphs.ts";

export interface StepOptions extends CompileOptions {
  /** Images that go through the encoder at a time; a batch of several gives the same result as one large batch. */
  readonly microBatch: number;
  readonly weightDecay: number;
  /** Largest l2 norm of the whole gradient; longer ones are scaled down. Default: no limit. */
  readonly clipGradient?: number;
  readonly seed: number;
}

/** What one batch showed; distances as in `StepMetrics`. */
export interface BatchResult {
  readonly loss: number;
  readonly advDistance: number;
  readonly cleanDistance: number;
  readonly threshold?: number;
  readonly lambdaMean?: number;
  readonly violationRate?: number;
}

/** A part of a batch, padded to the micro-batch; `share` is 1 / batch for its images and 0 for padding. */
interface Part {
  readonly count: number;
  readonly clean: Float32Array;
  readonly adversarial: Float32Array;
  readonly original: Float32Array;
  readonly share: Float32Array;
  readonly threshold: Float32Array;
  readonly lambda: Float32Array;
}

/**
 * Trains an encoder one batch at a time (paper, algorithm 1): original embeddings once, the perturbation once, K
 * AdamW steps on the encoder with lambda held fixed, then one ascent step on the dual variables.
 */
export class LoreStep {
  readonly parameters: Parameters;
  readonly #encoder: Encoder;
  readonly #objective: Objective;
  readonly #options: StepOptions;
  readonly #programs: Programs;
  readonly #optimizer: AdamW;
  readonly #omega: Parameters;
  readonly #dualOptimizer: AdamW;
  /** The batch's gradient by parameter: the program's own outputs, or sums over several micro-batches. */
  #gradient: ReadonlyMap<string, Float32Array> = new Map();

  private constructor(
    encoder: Encoder,
    objective: Objective,
    options: StepOptions,
    omega: Parameters,
    programs: Programs,
  ) {
    this.#encoder = encoder;
    this.#objective = objective;
    this.#options = options;
    this.#programs = programs;
    this.parameters = cloneParameters(encoder.parameters);
    this.#optimizer = new AdamW(this.parameters, { weightDecay: options.weightDecay });
    this.#omega = omega;
    this.#dualOptimizer = new AdamW(omega, { weightDecay: 0 });
  }

  static async create(encoder: Encoder, objective: Objective, options: StepOptions): Promise<LoreStep> {
    const dual = objective.constraint?.dual;
    const omega = dual ? dualParameters(dual, encoder.embeddingSize, options.seed) : new Map();
    return new LoreStep(encoder, objective, options, omega, await compilePrograms(encoder, objective, options, omega));
  }

  /**
   * @param pixels [count, 3, S, S] in [0, 1]; any count
   * @param key makes the attack's random start
   * @param learningRate of each of the K optimiser steps
   * @throws NonFiniteError when the loss or a gradient is not finite; the parameters are then those of the last good step
   */
  async run(
    pixels: Float32Array,
    key: readonly (number | string)[],
    learningRate: (k: number) => number,
  ): Promise<BatchResult> {
    const { attack, stepsPerBatch, constraint } = this.#objective;
    const weights = feedsOf(this.parameters);
    const parts = [...this.#split(pixels)];
    for (const [index, part] of parts.entries()) {
      await this.#prepare(part);
      const feeds = { ...weights, original: part.original };
      // By the image's place in the whole batch: its start must not depend on the micro-batch.
      const keyOf = (i: number) => [...key, index * this.#options.microBatch + i];
      await perturbBatch(this.#programs.ascent, attack, part.clean, feeds, keyOf, part.adversarial);
    }
    let first: BatchResult | undefined;
    let cleanDistances: readonly Float32Array[] = [];
    for (let k = 0; k < stepsPerBatch; k++) {
      const step = await this.#primal(parts, k === 0);
      cleanDistances = step.cleanDistances;
      first ??= summary(parts, step, constraint !== undefined);
      this.#optimizer.step(this.parameters, (name) => this.#gradient.get(name)!, learningRate(k), this.#clipScale());
    }
    if (constraint && this.#omega.size > 0) await this.#ascendDual(parts, cleanDistances);
    return first!;
  }

  *#split(pixels: Float32Array): Generator<Part> {
    const { microBatch } = this.#options;
    const { imageSize, embeddingSize } = this.#encoder;
    const length = 3 * imageSize * imageSize;
    const total = pixels.length / length;
    for (let start = 0; start < total; start += microBatch) {
      const count = Math.min(microBatch, total - start);
      const clean = new Float32Array(microBatch * length);
      clean.set(pixels.subarray(start * length, (start + count) * length));
      yield {
        count,
        clean,
        adversarial: new Float32Array(clean.length),
        original: new Float32Array(microBatch * embeddingSize),
        share: new Float32Array(microBatch).fill(1 / total, 0, count),
        threshold: new Float32Array(microBatch),
        lambda: new Float32Array(microBatch),
      };
    }
  }

  /** Original embeddings, thresholds and multipliers of one part. */
  async #prepare(part: Part): Promise<void> {
    const { constraint } = this.#objective;
    part.original.set((await this.#programs.reference.run({ clean: part.clean })).embedding as Float32Array);
    if (!constraint || !this.#programs.dual) return;
    part.threshold.set(thresholds(constraint.margin, part.original, this.#encoder.embeddingSize));
    // lambda does not depend on the violation, which is known only after the primal steps.
    const violation = part.threshold;
    const feeds = { ...feedsOf(this.#omega), original: part.original, share: part.share, violation };
    part.lambda.set((await this.#programs.dual.run(feeds)).lambda as Float32Array);
  }

  /** Loss, distances and gradient of the whole batch. */
  async #primal(parts: readonly Part[], measure: boolean) {
    const { primal, distance } = this.#programs;
    const weights = feedsOf(this.parameters);
    const advDistances: Float32Array[] = [];
    const cleanDistances: Float32Array[] = [];
    let loss = 0;
    for (const [index, part] of parts.entries()) {
      const { original, clean } = part;
      if (distance && measure) {
        cleanDistances.push(
          ((await distance.run({ ...weights, clean, original })).cleanDistance as Float32Array).slice(),
        );
      }
      const result = await primal.run({ ...weights, ...feedsOfPart(part) });
      loss += (result.loss as Float32Array)[0]!;
      advDistances.push((result.advDistance as Float32Array).slice());
      if (result.cleanDistance) cleanDistances.push((result.cleanDistance as Float32Array).slice());
      const gradient = [...this.parameters.keys()].map(
        (name) => [name, result[gradientName(name)] as Float32Array] as const,
      );
      if (parts.length === 1) this.#gradient = new Map(gradient);
      else
        this.#gradient =
          index === 0 ? new Map(gradient.map(([name, part]) => [name, part.slice()])) : added(this.#gradient, gradient);
    }
    if (!Number.isFinite(loss)) throw new NonFiniteError(`The loss is ${loss}.`);
    return { loss, advDistances, cleanDistances };
  }

  /** Factor that brings the gradient's norm to the limit; checks on the way that it is finite. */
  #clipScale(): number {
    let squared = 0;
    for (const part of this.#gradient.values()) for (let i = 0; i < part.length; i++) squared += part[i]! * part[i]!;
    const norm = Math.sqrt(squared);
    if (!Number.isFinite(norm)) throw new NonFiniteError(`The gradient's norm is ${norm}.`);
    const limit = this.#options.clipGradient ?? Number.POSITIVE_INFINITY;
    return norm > limit ? limit / norm : 1;
  }

  /** One ascent step on omega, with the clean distances of the last primal step. */
  async #ascendDual(parts: readonly Part[], cleanDistances: readonly Float32Array[]): Promise<void> {
    const { dual } = this.#objective.constraint!;
    if (dual.kind === "constant") return;
    let sums = new Map<string, Float32Array>(
      [...this.#omega].map(([name, { data }]) => [name, new Float32Array(data.length)]),
    );
    for (const [index, { original, share, threshold }] of parts.entries()) {
      const violation = cleanDistances[index]!.map((distance, i) => distance - threshold[i]!);
      const result = await this.#programs.dual!.run({ ...feedsOf(this.#omega), original, share, violation });
      sums = added(
        sums,
        [...sums.keys()].map((name) => [name, result[gradientName(name)] as Float32Array]),
      );
    }
    this.#dualOptimizer.step(this.#omega, (name) => sums.get(name)!, dual.learningRate, -1);
  }

  /** Everything that changes during training, by name; shares memory with the step. */
  state(): ReadonlyMap<string, Tensor> {
    return new Map([
      ...prefixed("theta.", this.parameters),
      ...prefixed("optimizer.", this.#optimizer.state()),
      ...prefixed("omega.", this.#omega),
      ...prefixed("dual-optimizer.", this.#dualOptimizer.state()),
    ]);
  }

  /**
   * Continues from what `state` gave.
   *
   * @throws UsageError when it was another encoder's or objective's state
   */
  restore(state: ReadonlyMap<string, Tensor>): void {
    const part = (prefix: string) =>
      new Map(
        [...state]
          .filter(([name]) => name.startsWith(prefix))
          .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
      );
    checkSameTensors(this.state(), state);
    for (const [prefix, own] of [
      ["theta.", this.parameters],
      ["omega.", this.#omega],
    ] as const) {
      const saved = part(prefix);
      for (const [name, { data }] of own) data.set(saved.get(name)!.data as Float32Array);
    }
    this.#optimizer.restore(part("optimizer."));
    this.#dualOptimizer.restore(part("dual-optimizer."));
  }

  /**
   * Whether the last optimiser step left every weight finite: the loss that would tell comes with the next batch only.
   *
   * @throws NonFiniteError naming a weight that is not
   */
  checkFinite(): void {
    for (const [name, { data }] of this.state()) {
      if (!data.every((x: number | bigint) => Number.isFinite(x)))
        throw new NonFiniteError(`${name} holds values that are not finite.`);
    }
  }

  async dispose(): Promise<void> {
    for (const program of Object.values<Program | undefined>({ ...this.#programs })) await program?.dispose();
  }
}

/** Training met a value that is not finite. */
export class NonFiniteError extends LoreError {
  override readonly name = "NonFiniteError";
}

/** `LoreGraphs`, compiled. */
interface Programs {
  readonly reference: Program;
  readonly ascent: Program;
  readonly primal: Program;
  readonly dual: Program | undefined;
  readonly distance: Program | undefined;
}

async function compilePrograms(
  encoder: Encoder,
  objective: Objective,
  options: StepOptions,
  omega: Parameters,
): Promise<Programs> {
  const { reference, ascent, primal, dual, distance } = loreGraphs(encoder, objective, options.microBatch, omega);
  return {
    reference: await compile(reference, options),
    ascent: await compile(ascent, options),
    primal: await compile(primal, options),
    dual: dual && (await compile(dual, options)),
    distance: distance && (await compile(distance, options)),
  };
}

function summary(
  parts: readonly Part[],
  step: {
    readonly loss: number;
    readonly advDistances: readonly Float32Array[];
    readonly cleanDistances: readonly Float32Array[];
  },
  constrained: boolean,
): BatchResult {
  // Not by the shares: they are float32, and three thirds would be more than one.
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const mean = (value: (part: Part, index: number, i: number) => number): number => {
    let sum = 0;
    for (const [index, part] of parts.entries()) for (let i = 0; i < part.count; i++) sum += value(part, index, i);
    return sum / total;
  };
  const distances = {
    loss: step.loss,
    advDistance: mean((_, index, i) => step.advDistances[index]![i]!),
    cleanDistance: mean((_, index, i) => step.cleanDistances[index]![i]!),
  };
  if (!constrained) return distances;
  return {
    ...distances,
    threshold: mean((part, _, i) => part.threshold[i]!),
    lambdaMean: mean((part, _, i) => part.lambda[i]!),
    violationRate: mean((part, index, i) => (step.cleanDistances[index]![i]! > part.threshold[i]! ? 1 : 0)),
  };
}

function feedsOf(parameters: Parameters): Readonly<Record<string, Float32Array>> {
  return Object.fromEntries([...parameters].map(([name, { data }]) => [name, data]));
}

function feedsOfPart({ adversarial, clean, original, share, threshold, lambda }: Part) {
  return { adversarial, clean, original, share, threshold, lambda };
}

/** Adds to the sums in place. */
function added<M extends ReadonlyMap<string, Float32Array>>(
  sums: M,
  parts: readonly (readonly [string, Float32Array])[],
): M {
  for (const [name, part] of parts) {
    const sum = sums.get(name)!;
    for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + part[i]!;
  }
  return sums;
}

function checkSameTensors(own: ReadonlyMap<string, Tensor>, saved: ReadonlyMap<string, Tensor>): void {
  for (const [name, { dtype, shape }] of own) {
    const found = saved.get(name);
    if (found && describeType(found.dtype, found.shape) === describeType(dtype, shape)) continue;
    const got = found ? describeType(found.dtype, found.shape) : "missing";
    throw new UsageError(
      `The checkpoint is of another encoder or objective: its tensor ${name} is ${got}, ${describeType(dtype, shape)} is needed.`,
    );
  }
}

function prefixed(prefix: string, tensors: ReadonlyMap<string, Tensor>): readonly (readonly [string, Tensor])[] {
  return [...tensors].map(([name, tensor]) => [prefix + name, tensor]);
}
