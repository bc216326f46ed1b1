import { ascentScalars, type FixedSteps } from "../../attacks/index.ts";
import type { Parameters } from "../../models/index.ts";
import { gradientName } from "../../objectives/index.ts";
import type { DeviceFeeds, DeviceTensor } from "../../runtime/index.ts";
import { allocate } from "../../tensor/index.ts";
import type { AdamW } from "../adamw/adamw.ts";
import { adamWRates, asScalars } from "../adamw/formula.ts";
import { nextName } from "../adamw/graph.ts";
import { checkNorm } from "../non-finite.ts";
import { feedsOfPart, type ImageRows, type Part } from "../step/batch.ts";
import type { Descent, MeasuredRows } from "../step/descend.ts";
import type { StepOptions } from "../step/options.ts";
import type { KnownRows, Perturbed, StartRows } from "../step/perturb.ts";
import type { OriginalRows } from "../step/reference.ts";
import { giveBack, takeLearned } from "./learned.ts";
import {
  descendStepwise,
  joinedRows,
  type Learner,
  type Lesson,
  measuredRows,
  type PrimalResult,
  type Stepwise,
} from "./learner.ts";
import { type ResidentPrograms, residentPrograms } from "./resident-programs.ts";
import { otherName, sumName } from "./sum-graph.ts";

interface Images {
  readonly clean: DeviceTensor;
  adversarial?: DeviceTensor;
}

/** Tensors of the device by name. */
type Resident = ReadonlyMap<string, DeviceTensor>;

/**
 * A learner in a device's memory. Weights, moments, gradients and images stay there. Images are uploaded once per batch;
 * embeddings and distances are downloaded.
 */
export class ResidentLearner implements Learner, Stepwise {
  readonly #parameters: Parameters;
  readonly #optimizer: AdamW;
  readonly #attack: FixedSteps;
  readonly #options: StepOptions;
  readonly #programs: ResidentPrograms;
  /** Parameters by name and moments by `momentNames`; undefined while the host's are newer. */
  #learned: Resident | undefined;
  #steps = 0;
  #gradient: Resident = new Map();
  /** By the place of their part in the batch. */
  readonly #images = new Map<number, Images>();

  private constructor(
    { parameters, optimizer }: Lesson,
    attack: FixedSteps,
    options: StepOptions,
    programs: ResidentPrograms,
  ) {
    this.#parameters = parameters;
    this.#optimizer = optimizer;
    this.#attack = attack;
    this.#options = options;
    this.#programs = programs;
  }

  static async create(lesson: Lesson, attack: FixedSteps, options: StepOptions): Promise<ResidentLearner> {
    const programs = await residentPrograms(lesson.parameters, lesson.graphs, options);
    return new ResidentLearner(lesson, attack, options, programs);
  }

  async reference(part: Part<ImageRows>): Promise<OriginalRows> {
    const { clean } = await this.#imagesOf(part);
    const { embedding, entropy } = await this.#programs.reference.run({ clean });
    return { original: floats(embedding!), ...(entropy && { entropy: floats(entropy) }) };
  }

  async perturb(part: Part<KnownRows>, starts: StartRows, measured: boolean): Promise<Perturbed> {
    const { distance } = this.#programs;
    const own = await this.#imagesOf(part);
    const feeds = { ...(await this.#state()), ...feedsOfPart(part), ...starts, ...own };
    const distances = distance && measured ? (await distance.run(feeds)).cleanDistance : undefined;
    own.adversarial = await this.#ascend(await this.#upload(starts.adversarial), feeds);
    return distances ? { cleanDistance: floats(distances) } : {};
  }

  /** The part's images, uploaded by whichever phase needs them first. */
  async #imagesOf({ start, rows: { clean } }: Part<ImageRows>): Promise<Images> {
    const own = this.#images.get(start) ?? { clean: await this.#upload(clean) };
    this.#images.set(start, own);
    return own;
  }

  async #upload(images: Float32Array): Promise<DeviceTensor> {
    return (await this.#programs.images.upload({ images })).get("images")!;
  }

  /** Runs all steps of the inner attack from `start`, and disposes of it. */
  async #ascend(start: DeviceTensor, feeds: DeviceFeeds): Promise<DeviceTensor> {
    const { momentum, steps } = this.#attack;
    const { ascent } = this.#programs;
    const scalars = ascentScalars(this.#attack);
    let adversarial = start;
    const velocity = momentum > 0 ? allocate("float32", start.shape) : new Float32Array();
    let moving: DeviceTensor | undefined;
    for (let i = 0; i < steps; i++) {
      const given: DeviceFeeds = { ...feeds, ...scalars, adversarial, velocity: moving ?? velocity };
      const { next, nextVelocity } = await ascent.run(given);
      adversarial.dispose();
      moving?.dispose();
      [adversarial, moving] = [next!, nextVelocity];
    }
    moving?.dispose();
    return adversarial;
  }

  descend(parts: readonly Part<KnownRows>[], rates: readonly number[]): Promise<Descent> {
    return descendStepwise(this, parts, rates);
  }

  async primal(parts: readonly Part<KnownRows>[]): Promise<PrimalResult> {
    const state = await this.#state();
    let loss = 0;
    const measured: MeasuredRows[] = [];
    for (const part of parts) {
      const feeds = { ...state, ...feedsOfPart(part), ...this.#images.get(part.start) };
      const result = await this.#programs.primal.run(feeds);
      loss += floats(result.loss!)[0]!;
      measured.push(measuredRows(result, floats));
      const names = [...this.#parameters.keys()].map(gradientName);
      const own: Resident = new Map(names.map((name) => [name, result[name]!]));
      this.#gradient = part.start === 0 ? own : await this.#sum(this.#gradient, own);
    }
    return { loss, measured: joinedRows(parts, measured) };
  }

  /** Sums tensors of the same names, and disposes of them. */
  async #sum(a: Resident, b: Resident): Promise<Resident> {
    const others = [...b].map(([name, tensor]) => [otherName(name), tensor] as const);
    const sums = await this.#programs.sum.run(Object.fromEntries([...a, ...others]));
    disposeAll([...a.values(), ...b.values()]);
    return new Map([...a.keys()].map((name) => [name, sums[sumName(name)]!]));
  }

  async update(learningRate: number): Promise<void> {
    const learned = await this.#state();
    const scalars = asScalars(adamWRates(this.#steps + 1, learningRate, this.#options));
    const given = { ...learned, ...Object.fromEntries(this.#gradient), ...scalars };
    const { norm, ...next } = await this.#programs.optimizer.run(given);
    disposeAll(this.#gradient.values());
    try {
      checkNorm(floats(norm!)[0]!);
    } catch (error) {
      disposeAll(Object.values(next));
      throw error;
    }
    disposeAll(Object.values(learned));
    this.#learned = new Map(Object.keys(learned).map((name) => [name, next[nextName(name)]!]));
    this.#steps++;
  }

  release(): void {
    for (const { clean, adversarial } of this.#images.values()) {
      clean.dispose();
      adversarial?.dispose();
    }
    this.#images.clear();
  }

  /** Parameters and moments as inputs of programs. */
  async #state(): Promise<Readonly<Record<string, DeviceTensor>>> {
    if (!this.#learned) {
      const { arrays, steps } = takeLearned(this.#parameters, this.#optimizer);
      this.#learned = await this.#programs.learned.upload(arrays);
      this.#steps = steps;
    }
    return Object.fromEntries(this.#learned);
  }

  async pull(): Promise<void> {
    if (!this.#learned) return;
    const arrays = await this.#programs.learned.download(this.#learned);
    giveBack(this.#parameters, this.#optimizer, arrays, this.#steps);
  }

  push(): void {
    disposeAll(this.#learned?.values() ?? []);
    this.#learned = undefined;
  }

  async dispose(): Promise<void> {
    this.push();
    for (const program of Object.values<{ dispose(): Promise<void> } | undefined>({ ...this.#programs }))
      await program?.dispose();
  }
}

function floats(tensor: DeviceTensor): Float32Array {
  return tensor.data as Float32Array;
}

function disposeAll(tensors: Iterable<DeviceTensor>): void {
  for (const tensor of tensors) tensor.dispose();
}
