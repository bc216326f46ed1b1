import { ascentScalars, type FixedSteps } from "../../attacks/index.ts";
import type { Parameters } from "../../models/index.ts";
import { compile, discard, type Program } from "../../runtime/index.ts";
import type { AdamW } from "../adamw/adamw.ts";
import { adamWRates, asScalars } from "../adamw/formula.ts";
import { nextName } from "../adamw/graph.ts";
import { arraysOf, type Part } from "../batch-slice.ts";
import { checkLoss, checkNorm } from "../non-finite.ts";
import type { StepOptions } from "../training-step.ts";
import { batchGraph, lastCleanDistance, ofStep } from "./batch-graph.ts";
import { giveBack, takeLearned } from "./learned.ts";
import type { Learner, Lesson } from "./learner.ts";

/**
 * A learner with one program for all that happens to a batch of one part, for devices whose memory the binding cannot name:
 * weights and moments cross to it and back once a batch.
 */
export class BatchLearner implements Learner {
  readonly #parameters: Parameters;
  readonly #optimizer: AdamW;
  readonly #attack: FixedSteps;
  readonly #options: StepOptions;
  readonly #reference: Program;
  readonly #batch: Program;
  /** Parameters and moments as the program last gave them; undefined while those of the host are newer. */
  #learned: ReadonlyMap<string, Float32Array> | undefined;
  #steps = 0;

  private constructor(
    { parameters, optimizer }: Lesson,
    attack: FixedSteps,
    options: StepOptions,
    reference: Program,
    batch: Program,
  ) {
    this.#parameters = parameters;
    this.#optimizer = optimizer;
    this.#attack = attack;
    this.#options = options;
    this.#reference = reference;
    this.#batch = batch;
  }

  static async create(lesson: Lesson, attack: FixedSteps, options: StepOptions): Promise<BatchLearner> {
    const { parameters, objective, graphs } = lesson;
    const whole = batchGraph(parameters, graphs, attack, { ...options, stepsPerBatch: objective.stepsPerBatch });
    const reference = await compile(graphs.reference, options);
    return new BatchLearner(lesson, attack, options, reference, await compile(whole, options));
  }

  async reference({ clean, original }: Part): Promise<Float32Array | undefined> {
    const { embedding, entropy } = await this.#reference.run({ clean });
    original.set(embedding as Float32Array);
    return entropy as Float32Array | undefined;
  }

  /** Nothing yet: the attack is part of `descend`'s program, which starts where `adversarial` is. */
  async perturb(): Promise<void> {}

  async descend(parts: readonly Part[], rates: readonly number[], onFirst: (loss: number) => void): Promise<void> {
    const [part, ...more] = parts;
    if (!part || more.length > 0) throw new RangeError(`A batch is one part here, not ${parts.length}.`);
    const before = this.#taken();
    const scalars = rates.map((rate, k) => this.#ratesOf(rate, k));
    const feeds = { ...before, ...arraysOf(part), ...ascentScalars(this.#attack), ...Object.assign({}, ...scalars) };
    const results = (await this.#batch.runFresh(feeds)) as Readonly<Record<string, Float32Array>>;
    const next = new Map(Object.keys(before).map((name) => [name, results[nextName(name)]!]));
    try {
      for (const k of rates.keys()) {
        checkLoss(results[ofStep("loss", k)]![0]!);
        checkNorm(results[ofStep("norm", k)]![0]!);
      }
    } catch (error) {
      discard(next.values());
      throw error;
    }
    for (const name of ["advEmbedding", "advDistance", "advLoss", "cleanDistance"] as const)
      if (results[name]) part[name].set(results[name]);
    onFirst(results[ofStep("loss", 0)]![0]!);
    if (results[lastCleanDistance]) part.cleanDistance.set(results[lastCleanDistance]);
    discard(this.#learned?.values() ?? []);
    this.#learned = next;
    this.#steps += rates.length;
  }

  /** Parameters and moments as the program takes them. */
  #taken(): Readonly<Record<string, Float32Array>> {
    if (this.#learned) return Object.fromEntries(this.#learned);
    const { arrays, steps } = takeLearned(this.#parameters, this.#optimizer);
    this.#steps = steps;
    return arrays;
  }

  #ratesOf(learningRate: number, k: number): Readonly<Record<string, Float32Array>> {
    const scalars = asScalars(adamWRates(this.#steps + k + 1, learningRate, this.#options));
    return Object.fromEntries(Object.entries(scalars).map(([name, value]) => [ofStep(name, k), value]));
  }

  release(): void {}

  async pull(): Promise<void> {
    if (this.#learned) giveBack(this.#parameters, this.#optimizer, this.#learned, this.#steps);
  }

  push(): void {
    discard(this.#learned?.values() ?? []);
    this.#learned = undefined;
  }

  async dispose(): Promise<void> {
    this.push();
    await this.#reference.dispose();
    await this.#batch.dispose();
  }
}
