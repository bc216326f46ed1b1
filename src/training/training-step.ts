import { perturbBatch } from "../attacks/index.ts";
import { LoreError } from "../errors.ts";
import { cloneParameters, type Encoder, type Parameters } from "../models/encoder.ts";
import { classThresholds, dualParameters, gradientName, type Objective, thresholds } from "../objectives/index.ts";
import { type CompileOptions, compile, type Program } from "../runtime/index.ts";
import { AdamW } from "./adamw.ts";
import { DualVariable } from "./dual-variable.ts";
import type { BatchResult } from "./metrics.ts";
import { addInPlace, checkSameTensors, feedsOf, joinStates, type State, stateOf } from "./parameters.ts";
import { arraysOf, type Part, splitBatch, summarize } from "./part.ts";
import { trainingGraphs } from "./training-graphs.ts";

export interface StepOptions extends CompileOptions {
  /** Images that go through the encoder at a time; a batch of several gives the same result as one large batch. */
  readonly microBatch: number;
  readonly weightDecay: number;
  /** Largest l2 norm of the whole gradient; longer ones are scaled down. Default: no limit. */
  readonly clipGradient?: number;
  readonly seed: number;
}

/** Training met a value that is not finite. */
export class NonFiniteError extends LoreError {
  override readonly name = "NonFiniteError";
}

/** The gradient of a batch's loss by parameter. */
type Gradient = ReadonlyMap<string, Float32Array>;

/**
 * Trains an encoder one batch at a time (paper, algorithm 1): original embeddings once, the perturbation once, K
 * AdamW steps on the encoder with lambda held fixed, then one ascent step on the dual variables.
 */
export class TrainingStep {
  /** The encoder's weights, changed in place by every step. */
  readonly parameters: Parameters;
  readonly #encoder: Encoder;
  readonly #objective: Objective;
  readonly #options: StepOptions;
  readonly #programs: Programs;
  readonly #optimizer: AdamW;
  readonly #dual: DualVariable | undefined;

  private constructor(
    encoder: Encoder,
    objective: Objective,
    options: StepOptions,
    programs: Programs,
    omega: Parameters,
  ) {
    this.#encoder = encoder;
    this.#objective = objective;
    this.#options = options;
    this.#programs = programs;
    this.parameters = cloneParameters(encoder.parameters);
    this.#optimizer = new AdamW(this.parameters, { weightDecay: options.weightDecay });
    this.#dual = objective.constraint && new DualVariable(objective.constraint.dual, omega, programs.dual!);
  }

  static async create(encoder: Encoder, objective: Objective, options: StepOptions): Promise<TrainingStep> {
    const dual = objective.constraint?.dual;
    const omega: Parameters = dual ? dualParameters(dual, encoder.embeddingSize, options.seed) : new Map();
    const graphs = trainingGraphs(encoder, objective, options.microBatch, omega);
    const programs = {
      reference: await compile(graphs.reference, options),
      ascent: await compile(graphs.ascent, options),
      primal: await compile(graphs.primal, options),
      dual: graphs.dual && (await compile(graphs.dual, options)),
      distance: graphs.distance && (await compile(graphs.distance, options)),
    };
    return new TrainingStep(encoder, objective, options, programs, omega);
  }

  /**
   * @param pixels [count, 3, S, S] in [0, 1]; any count
   * @param key makes the attack's random start
   * @param learningRate of each of the K optimiser steps
   * @param labels [count], from 0 to classes - 1; needed by a supervised objective
   * @throws NonFiniteError when the loss or a gradient is not finite; the parameters are then those of the last good step
   */
  async run(
    pixels: Float32Array,
    key: readonly (number | string)[],
    learningRate: (k: number) => number,
    labels?: Int32Array,
  ): Promise<BatchResult> {
    const { imageSize, embeddingSize } = this.#encoder;
    const parts = splitBatch(pixels, labels, 3 * imageSize ** 2, embeddingSize, this.#options.microBatch);
    for (const part of parts) await this.#prepare(part, key);
    let first: BatchResult | undefined;
    for (let k = 0; k < this.#objective.stepsPerBatch; k++) {
      const { loss, gradient } = await this.#primal(parts);
      first ??= summarize(parts, loss, this.#objective);
      this.#optimizer.step(this.parameters, (name) => gradient.get(name)!, learningRate(k), this.#clipScale(gradient));
    }
    await this.#dual?.ascend(parts);
    return first!;
  }

  /** Original embeddings, thresholds, multipliers and perturbations of one part. */
  async #prepare(part: Part, key: readonly (number | string)[]): Promise<void> {
    const { reference, ascent, distance } = this.#programs;
    const { clean, original } = part;
    const { embedding, entropy } = await reference.run({ clean });
    original.set(embedding as Float32Array);
    this.#setThresholds(part, entropy as Float32Array | undefined);
    await this.#dual?.prepare(part);
    const feeds = { ...feedsOf(this.parameters), ...arraysOf(part) };
    if (distance) part.cleanDistance.set((await distance.run({ ...feeds, clean })).cleanDistance as Float32Array);
    // By the image's place in the whole batch: its start must not depend on the micro-batch.
    const keyOf = (i: number) => [...key, part.start + i];
    await perturbBatch(ascent, this.#objective.attack, clean, feeds, keyOf, part.adversarial);
  }

  #setThresholds({ original, threshold }: Part, entropy: Float32Array | undefined): void {
    const { constraint } = this.#objective;
    if (constraint?.divergence === "embedding")
      threshold.set(thresholds(constraint.margin, original, this.#encoder.embeddingSize));
    if (constraint?.divergence === "classes") threshold.set(classThresholds(constraint.margin, entropy!));
  }

  /** Loss and gradient of the whole batch; leaves the distances in the parts. */
  async #primal(parts: readonly Part[]): Promise<{ readonly loss: number; readonly gradient: Gradient }> {
    let loss = 0;
    let gradient: Gradient = new Map();
    for (const part of parts) {
      const result = await this.#programs.primal.run({ ...feedsOf(this.parameters), ...arraysOf(part) });
      loss += (result.loss as Float32Array)[0]!;
      part.advDistance.set(result.advDistance as Float32Array);
      if (result.advLoss) part.advLoss.set(result.advLoss as Float32Array);
      if (result.cleanDistance) part.cleanDistance.set(result.cleanDistance as Float32Array);
      const names = [...this.parameters.keys()];
      const own = new Map(names.map((name) => [name, result[gradientName(name)] as Float32Array]));
      // The program writes every part's gradient into the same arrays: a sum over several needs arrays of its own.
      if (parts.length === 1) gradient = own;
      else if (part.start === 0) gradient = new Map([...own].map(([name, data]) => [name, data.slice()]));
      else for (const [name, sum] of gradient) addInPlace(sum, own.get(name)!);
    }
    if (!Number.isFinite(loss)) throw new NonFiniteError(`The loss is ${loss}.`);
    return { loss, gradient };
  }

  /** Factor that brings the gradient's norm to the limit; checks on the way that it is finite. */
  #clipScale(gradient: Gradient): number {
    let squared = 0;
    for (const part of gradient.values()) for (let i = 0; i < part.length; i++) squared += part[i]! * part[i]!;
    const norm = Math.sqrt(squared);
    if (!Number.isFinite(norm)) throw new NonFiniteError(`The gradient's norm is ${norm}.`);
    const limit = this.#options.clipGradient ?? Number.POSITIVE_INFINITY;
    return norm > limit ? limit / norm : 1;
  }

  /** Everything that changes during training, by name; shares memory with the step. */
  state(): State {
    return joinStates({
      theta: this.parameters,
      optimizer: this.#optimizer.state(),
      ...(this.#dual && { omega: this.#dual.parameters, "dual-optimizer": this.#dual.optimizer.state() }),
    });
  }

  /**
   * Continues from what `state` gave.
   *
   * @throws UsageError when it was another encoder's or objective's state
   */
  restore(state: State): void {
    checkSameTensors(this.state(), state);
    copyInto(this.parameters, stateOf(state, "theta"));
    this.#optimizer.restore(stateOf(state, "optimizer"));
    if (!this.#dual) return;
    copyInto(this.#dual.parameters, stateOf(state, "omega"));
    this.#dual.optimizer.restore(stateOf(state, "dual-optimizer"));
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

/** `TrainingGraphs`, compiled. */
interface Programs {
  readonly reference: Program;
  readonly ascent: Program;
  readonly primal: Program;
  readonly dual: Program | undefined;
  readonly distance: Program | undefined;
}

function copyInto(parameters: Parameters, saved: State): void {
  for (const [name, { data }] of parameters) data.set(saved.get(name)!.data as Float32Array);
}
