import { drawStarts } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { checkFinite, cloneParameters, type Encoder, type Parameters } from "../models/index.ts";
import {
  classThresholds,
  distanceKeeping,
  dualParameters,
  EmbeddingBank,
  type Objective,
  thresholds,
  withBankFor,
} from "../objectives/index.ts";
import { type CompileOptions, compile } from "../runtime/index.ts";
import { AdamW } from "./adamw/adamw.ts";
import { batchOf, type Part, partsOf, summarize } from "./batch-slice.ts";
import { DualVariable } from "./dual-variable.ts";
import { createLearner, type LearnerKind, usualLearner } from "./learners/create.ts";
import type { Key, Learner } from "./learners/learner.ts";
import type { BatchResult } from "./metrics.ts";
import { type MicroBatches, sameMicroBatches } from "./micro-batch.ts";
import { NonFiniteError } from "./non-finite.ts";
import { checkSameTensors, joinStates, type State, stateOf } from "./parameters.ts";
import { type CacheOptions, ReferenceCache } from "./reference-cache.ts";
import { trainingGraphs } from "./training-graphs.ts";

export interface StepOptions extends CompileOptions {
  /** Images a step at most. Default: any number. */
  readonly batch?: number;
  /** Images that go through the encoder at a time; a batch of several gives the same result as one large batch. */
  readonly microBatch: number;
  /** The same in the optimiser's steps, which keep most, where weights are in host memory. Default: `microBatch`. */
  readonly primalMicroBatch?: number;
  /** Compute activations again in backward passes instead of keeping them: less memory, more time. Default false. */
  readonly recompute?: boolean;
  readonly weightDecay: number;
  /** Largest l2 norm of the whole gradient; longer ones are scaled down. Default: no limit. */
  readonly clipGradient?: number;
  readonly seed: number;
  /** The images that there are, by any numbers of their own; for `referenceCache`. */
  readonly images?: readonly number[];
  /** Keeps what the original encoder gave for each of `images`, which must have the same pixels each time. Default: no. */
  readonly referenceCache?: CacheOptions;
  /** What one of `images` is called in messages. Default: `image 0` ... */
  readonly nameOf?: (image: number) => string;
}

/**
 * Trains an encoder one batch at a time (paper, algorithm 1): original embeddings once, the perturbation once, K
 * AdamW steps on the encoder with lambda held fixed, then one ascent step on the dual variables.
 */
export class TrainingStep {
  /** The encoder's weights, in host memory: those of the latest step once `pull` has brought them there. */
  readonly parameters: Parameters;
  readonly #encoder: Encoder;
  readonly #objective: Objective;
  readonly #microBatches: MicroBatches;
  readonly #optimizer: AdamW;
  readonly #learner: Learner;
  readonly #dual: DualVariable | undefined;
  /** The dual variables that training begins with. */
  readonly #omega: Parameters;
  readonly #bank: EmbeddingBank;
  readonly #cache: ReferenceCache | undefined;
  readonly #nameOf: (image: number) => string;

  private constructor(
    encoder: Encoder,
    objective: Objective,
    microBatches: MicroBatches,
    parameters: Parameters,
    optimizer: AdamW,
    learner: Learner,
    dual: DualVariable | undefined,
    omega: Parameters,
    bank: EmbeddingBank,
    cache: ReferenceCache | undefined,
    nameOf: (image: number) => string = (image) => `image ${image}`,
  ) {
    this.#encoder = encoder;
    this.#objective = objective;
    this.#microBatches = microBatches;
    this.parameters = parameters;
    this.#optimizer = optimizer;
    this.#learner = learner;
    this.#dual = dual;
    this.#omega = omega;
    this.#bank = bank;
    this.#cache = cache;
    this.#nameOf = nameOf;
  }

  /**
   * @param kind where weights and moments are between programs. Default: what costs the device least
   */
  static async create(
    encoder: Encoder,
    asked: Objective,
    options: StepOptions,
    kind: LearnerKind = usualLearner(options),
  ): Promise<TrainingStep> {
    const { objective, entries } = withBankFor(asked, options.batch ?? options.microBatch);
    const bank = new EmbeddingBank(entries, encoder.embeddingSize);
    const dual = objective.constraint?.dual;
    const omega: Parameters = dual ? dualParameters(dual, encoder.embeddingSize, options.seed) : new Map();
    const { recompute = false, microBatch, primalMicroBatch = microBatch } = options;
    const sizes = kind === "host" ? { microBatch, primalMicroBatch } : sameMicroBatches(microBatch);
    const reference = kind === "host" ? "inputs" : "constants";
    const graphs = trainingGraphs(encoder, objective, sizes, omega, { recompute, reference });
    const parameters = cloneParameters(encoder.parameters);
    const optimizer = new AdamW(parameters, { weightDecay: options.weightDecay });
    const lesson = { original: encoder.parameters, parameters, optimizer, objective, graphs };
    const learner = await createLearner(kind, lesson, options);
    // A few small products: not worth a device's round trips, nor float16's rounding.
    const small = { ...options, device: "cpu", precision: "float32", releaseCores: true } as const;
    const multipliers = dual && new DualVariable(dual, cloneParameters(omega), await compile(graphs.dual!, small));
    return new TrainingStep(
      encoder,
      objective,
      sizes,
      parameters,
      optimizer,
      learner,
      multipliers,
      omega,
      bank,
      cacheOf(encoder, options),
      options.nameOf,
    );
  }

  /**
   * @param pixels [count, 3, S, S] in [0, 1]; any count
   * @param key makes the attack's random start
   * @param learningRate of each of the K optimiser steps
   * @param labels [count], from 0 to classes - 1; needed by a supervised objective
   * @param images [count], the batch's images among those of `StepOptions.images`; needed by a cache
   * @param measured whether clean distances are taken where the loss does not need them, at the cost of a forward pass
   * @throws NonFiniteError when the loss or a gradient is not finite; the parameters are then those of the last good step
   * @throws UsageError when an original embedding is not finite, naming the image
   */
  async run(
    pixels: Float32Array,
    key: Key,
    learningRate: (k: number) => number,
    labels?: Int32Array,
    images: readonly number[] = [],
    measured = true,
  ): Promise<BatchResult> {
    const { imageSize, embeddingSize } = this.#encoder;
    const { microBatch, primalMicroBatch } = this.#microBatches;
    const size = { image: 3 * imageSize ** 2, embedding: embeddingSize };
    const batch = batchOf(pixels, labels, size, [microBatch, primalMicroBatch], this.#bank.arrays);
    const parts = partsOf(batch, microBatch);
    // The same objects where they are the same parts: a device's learner knows by them which images it has.
    const primalParts = primalMicroBatch === microBatch ? parts : partsOf(batch, primalMicroBatch);
    let forget = (): void => {};
    try {
      for (const part of parts) await this.#reference(part, images.slice(part.start, part.start + part.count));
      forget = this.#bank.add(batch.arrays.original, batch.count);
      for (const part of parts) await this.#perturb(part, key, measured);
      let first: BatchResult | undefined;
      const rates = Array.from({ length: this.#objective.stepsPerBatch }, (_, k) => learningRate(k));
      await this.#learner.descend(primalParts, rates, (loss) => {
        first = summarize(parts, loss, this.#objective, measured);
      });
      await this.#dual?.ascend(parts);
      return first!;
    } catch (error) {
      forget();
      throw error;
    } finally {
      this.#learner.release(parts);
    }
  }

  /** Original embeddings, and entropies where the constraint is about classes. */
  async #reference(part: Part, images: readonly number[]): Promise<void> {
    const entropy = await this.#embedOriginal(part, images);
    if (entropy) part.entropy.set(entropy);
  }

  async #embedOriginal(part: Part, images: readonly number[]): Promise<Float32Array | undefined> {
    const known = this.#cache?.load(part, images);
    if (known) return known;
    const entropy = await this.#learner.reference(part);
    const { name, embeddingSize } = this.#encoder;
    const nameOf = (i: number): string => this.#nameOf(images[i] ?? part.start + i);
    const original = part.original.subarray(0, part.count * embeddingSize);
    checkFinite(original, part.count, { encoder: name, what: "embedding", nameOf });
    this.#cache?.keep(part, images, entropy);
    return entropy;
  }

  async #perturb(part: Part, key: Key, measured: boolean): Promise<void> {
    this.#setThresholds(part);
    await this.#dual?.prepare(part);
    // By the image's place in the whole batch: its start must not depend on the micro-batch.
    drawStarts(this.#objective.attack, part.clean, (i) => [...key, part.start + i], part);
    await this.#learner.perturb(part, measured);
  }

  #setThresholds({ original, threshold, entropy }: Part): void {
    const { constraint } = this.#objective;
    if (!constraint) return;
    if (constraint.divergence === "classes") threshold.set(classThresholds(constraint.margin, entropy));
    else if (constraint.margin.kind === "kept")
      threshold.fill(distanceKeeping(constraint.distance, constraint.margin.share, this.#bank.spread));
    else threshold.set(thresholds(constraint.margin, original, this.#encoder.embeddingSize));
  }

  /** Brings the latest weights and moments to `parameters` and `state`. */
  async pull(): Promise<void> {
    await this.#learner.pull();
  }

  /** Everything that changes during training, by name, once pulled; shares memory with the step. */
  state(): State {
    return joinStates({
      theta: this.parameters,
      optimizer: this.#optimizer.state(),
      ...(this.#dual && { omega: this.#dual.parameters, "dual-optimizer": this.#dual.optimizer.state() }),
      bank: this.#bank.state(),
    });
  }

  /** Begins again, as if no step had been taken. */
  reset(): void {
    copyInto(this.parameters, this.#encoder.parameters);
    this.#optimizer.reset();
    this.#learner.push();
    this.#bank.reset();
    if (!this.#dual) return;
    copyInto(this.#dual.parameters, this.#omega);
    this.#dual.optimizer.reset();
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
    this.#learner.push();
    this.#bank.restore(stateOf(state, "bank"));
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
    this.#cache?.dispose();
    await this.#learner.dispose();
    await this.#dual?.dispose();
  }
}

function cacheOf({ embeddingSize }: Encoder, { images, referenceCache }: StepOptions): ReferenceCache | undefined {
  if (!referenceCache) return undefined;
  if (!images) throw new UsageError("A cache of original embeddings needs to be told which images there are.");
  return new ReferenceCache(images, embeddingSize, referenceCache);
}

function copyInto(parameters: Parameters, saved: State): void {
  for (const [name, { data }] of parameters) data.set(saved.get(name)!.data as Float32Array);
}
