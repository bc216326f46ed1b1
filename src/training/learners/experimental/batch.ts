import { ascentScalars, type FixedSteps } from "../../../attacks/index.ts";
import type { Parameters } from "../../../models/index.ts";
import { compile, discard, type Program } from "../../../runtime/index.ts";
import type { AdamW } from "../../adamw/adamw.ts";
import { adamWRates, asScalars } from "../../adamw/formula.ts";
import { nextName } from "../../adamw/graph.ts";
import { checkLoss, checkNorm } from "../../non-finite.ts";
import { feedsOfPart, type ImageRows, type Part } from "../../step/batch.ts";
import type { Descent } from "../../step/descend.ts";
import type { StepOptions } from "../../step/options.ts";
import type { KnownRows, Perturbed, StartRows } from "../../step/perturb.ts";
import type { OriginalRows } from "../../step/reference.ts";
import { giveBack, takeLearned } from "../learned.ts";
import { type Learner, type Lesson, measuredRows } from "../learner.ts";
import { batchGraph, lastCleanDistance, ofStep } from "./batch-graph.ts";

/**
 * Experimental: made for CUDA, on which it has never run; tests run it on CPU. A learner with one program for all work on
 * a batch of one part, for devices whose memory the binding cannot name. Weights and moments cross to the device and back
 * once per batch.
 */
export class BatchLearner implements Learner {
  readonly #parameters: Parameters;
  readonly #optimizer: AdamW;
  readonly #attack: FixedSteps;
  readonly #options: StepOptions;
  readonly #reference: Program;
  readonly #batch: Program;
  /** Parameters and moments from the program's last run; undefined while the host's are newer. */
  #learned: ReadonlyMap<string, Float32Array> | undefined;
  #steps = 0;
  /** Arguments of `perturb`, kept because the attack is part of `descend`'s program. */
  #asked: { readonly starts: StartRows; readonly measured: boolean } | undefined;

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

  async reference({ rows: { clean } }: Part<ImageRows>): Promise<OriginalRows> {
    const { embedding, entropy } = await this.#reference.run({ clean });
    return {
      original: (embedding as Float32Array).slice(),
      ...(entropy && { entropy: (entropy as Float32Array).slice() }),
    };
  }

  async perturb(_: Part<KnownRows>, starts: StartRows, measured: boolean): Promise<Perturbed> {
    this.#asked = { starts, measured };
    return {};
  }

  async descend(parts: readonly Part<KnownRows>[], rates: readonly number[]): Promise<Descent> {
    const [part, ...more] = parts;
    if (!part || !this.#asked || more.length > 0)
      throw new RangeError(`A batch is one perturbed part here, not ${parts.length}.`);
    const { starts, measured } = this.#asked;
    const before = this.#taken();
    const scalars = rates.map((rate, k) => this.#ratesOf(rate, k));
    const rows = { ...feedsOfPart(part), ...starts };
    const feeds = { ...before, ...rows, ...ascentScalars(this.#attack), ...Object.assign({}, ...scalars) };
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
    discard(this.#learned?.values() ?? []);
    this.#learned = next;
    this.#steps += rates.length;
    const { cleanDistance, ...others } = measuredRows(results, (array) => array);
    const lastDistance = results[lastCleanDistance];
    return {
      loss: results[ofStep("loss", 0)]![0]!,
      before: { ...others, ...(cleanDistance && (measured || lastDistance) && { cleanDistance }) },
      lastCleanDistance: lastDistance,
    };
  }

  /** Parameters and moments as the program's inputs. */
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

  release(): void {
    this.#asked = undefined;
  }

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
