import { UsageError } from "../../errors.ts";
import { cloneParameters, type Encoder, type Parameters } from "../../models/index.ts";
import { dualParameters, EmbeddingBank, type Objective, withBankFor } from "../../objectives/index.ts";
import { compile } from "../../runtime/index.ts";
import { AdamW } from "../adamw/adamw.ts";
import { createLearner, type LearnerKind, usualLearner } from "../learners/create.ts";
import type { Key, Learner } from "../learners/learner.ts";
import type { BatchResult } from "../metrics.ts";
import { type MicroBatches, sameMicroBatches } from "../micro-batch.ts";
import type { State } from "../parameters.ts";
import { trainingGraphs } from "../training-graphs.ts";
import { ascend } from "./ascend.ts";
import { batchOf } from "./batch.ts";
import { bounds } from "./bounds.ts";
import { type Changing, checkFiniteState, currentState, resetState, restoreState } from "./changing.ts";
import { descend } from "./descend.ts";
import { DualVariable } from "./dual-variable.ts";
import type { StepOptions } from "./options.ts";
import { perturb } from "./perturb.ts";
import { reference } from "./reference.ts";
import { ReferenceCache } from "./reference-cache.ts";
import { summarize } from "./summary.ts";

/** Everything that a step works with. */
interface StepParts extends Changing, MicroBatches {
  readonly encoder: Encoder;
  readonly objective: Objective;
  readonly learner: Learner;
  readonly cache: ReferenceCache | undefined;
  readonly nameOf: (image: number) => string;
}

/**
 * Trains an encoder one batch at a time (paper, algorithm 1): original embeddings once, the perturbation once, K AdamW
 * steps on the encoder with lambda fixed, then one ascent step on the dual variables.
 */
export class TrainingStep {
  readonly #parts: StepParts;

  private constructor(parts: StepParts) {
    this.#parts = parts;
  }

  /**
   * @param kind location of weights and moments between programs. Default: the cheapest for the device
   */
  static async create(
    encoder: Encoder,
    asked: Objective,
    options: StepOptions,
    kind: LearnerKind = usualLearner(options),
  ): Promise<TrainingStep> {
    const { recompute = false, microBatch, primalMicroBatch = microBatch, seed } = options;
    const { objective, entries } = withBankFor(asked, options.batch ?? microBatch);
    const dual = objective.constraint?.dual;
    const omega: Parameters = dual ? dualParameters(dual, encoder.embeddingSize, seed) : new Map();
    const onHost = kind === "host";
    const sizes = onHost ? { microBatch, primalMicroBatch } : sameMicroBatches(microBatch);
    const weights = onHost ? "inputs" : "constants";
    const graphs = trainingGraphs(encoder, objective, sizes, omega, { recompute, reference: weights });
    const parameters = cloneParameters(encoder.parameters);
    const optimizer = new AdamW(parameters, { weightDecay: options.weightDecay });
    const lesson = { original: encoder.parameters, parameters, optimizer, objective, graphs };
    const learner = await createLearner(kind, lesson, options);
    // A few small products: not worth a device's round trips, nor float16's rounding.
    const small = { ...options, device: "cpu", precision: "float32", releaseCores: true } as const;
    return new TrainingStep({
      ...{ encoder, objective, learner, parameters, optimizer },
      ...sizes,
      dual: dual && new DualVariable(dual, cloneParameters(omega), await compile(graphs.dual!, small)),
      bank: new EmbeddingBank(entries, encoder.embeddingSize),
      initial: { parameters: encoder.parameters, omega },
      cache: cacheOf(encoder, options),
      nameOf: options.nameOf ?? ((image) => `image ${image}`),
    });
  }

  /** The encoder's weights in host memory; those of the latest step after `pull`. */
  get parameters(): Parameters {
    return this.#parts.parameters;
  }

  /**
   * @param pixels [count, 3, S, S] in [0, 1]; any count
   * @param key key of the attack's random start
   * @param learningRate learning rate of each of the K optimiser steps
   * @param labels [count], from 0 to classes - 1; needed by a supervised objective
   * @param images [count], the batch's images among those of `StepOptions.images`; needed by a cache
   * @param measured whether to measure clean distances that the loss does not need, at the cost of a forward pass
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
    const { encoder, objective, learner, bank, microBatch, primalMicroBatch } = this.#parts;
    const { imageSize, embeddingSize } = encoder;
    const { attack, stepsPerBatch } = objective;
    const batch = batchOf(pixels, labels, 3 * imageSize ** 2, [microBatch, primalMicroBatch], bank.arrays);
    const rates = Array.from({ length: stepsPerBatch }, (_, k) => learningRate(k));
    let forget = (): void => {};
    try {
      const original = await reference(batch, images, this.#parts);
      forget = bank.add(original.original, batch.count);
      const bounded = await bounds(batch, original, { ...this.#parts, embeddingSize, spread: bank.spread });
      const known = { ...batch.images, ...original, ...bounded };
      const perturbed = await perturb(batch, known, { learner, attack, microBatch, key, measured });
      const descent = await descend(batch, known, { learner, primalMicroBatch, rates });
      await ascend(batch, known, descent.lastCleanDistance, this.#parts);
      return summarize(batch, known, perturbed, descent, objective);
    } catch (error) {
      forget();
      throw error;
    } finally {
      learner.release();
    }
  }

  /** Updates `parameters` and `state` to the latest weights and moments. */
  async pull(): Promise<void> {
    await this.#parts.learner.pull();
  }

  /** Everything that changes during training, by name, as of the last `pull`; shares memory with the step. */
  state(): State {
    return currentState(this.#parts);
  }

  /** Resets to the state before the first step. */
  reset(): void {
    resetState(this.#parts);
    this.#parts.learner.push();
  }

  /**
   * Continues from a state returned by `state`.
   *
   * @throws UsageError when it is another encoder's or objective's state
   */
  restore(state: State): void {
    restoreState(this.#parts, state);
    this.#parts.learner.push();
  }

  /**
   * Checks that every weight is finite after the last optimiser step. The loss would show it only with the next batch.
   *
   * @throws NonFiniteError naming a weight that is not
   */
  checkFinite(): void {
    checkFiniteState(this.state());
  }

  async dispose(): Promise<void> {
    const { cache, learner, dual } = this.#parts;
    cache?.dispose();
    await learner.dispose();
    await dual?.dispose();
  }
}

function cacheOf({ embeddingSize }: Encoder, { images, referenceCache }: StepOptions): ReferenceCache | undefined {
  if (!referenceCache) return undefined;
  if (!images) throw new UsageError("A cache of original embeddings needs to be told which images there are.");
  return new ReferenceCache(images, embeddingSize, referenceCache);
}
