import { ascentScalars, type FixedSteps } from "../../attacks/index.ts";
import type { Parameters } from "../../models/index.ts";
import { gradientName } from "../../objectives/index.ts";
import type { DeviceFeeds, DeviceTensor } from "../../runtime/index.ts";
import { allocate } from "../../tensor/index.ts";
import type { AdamW } from "../adamw/adamw.ts";
import { adamWRates, asScalars } from "../adamw/formula.ts";
import { nextName } from "../adamw/graph.ts";
import { arraysOf, type Part } from "../batch-slice.ts";
import { checkNorm } from "../non-finite.ts";
import type { StepOptions } from "../training-step.ts";
import { giveBack, takeLearned } from "./learned.ts";
import { descendStepwise, type Learner, type Lesson, type Stepwise } from "./learner.ts";
import { type ResidentPrograms, residentPrograms } from "./resident-programs.ts";
import { otherName, sumName } from "./sum-graph.ts";

interface Images {
  readonly clean: DeviceTensor;
  adversarial?: DeviceTensor;
}

/** Tensors of the device by name. */
type Resident = ReadonlyMap<string, DeviceTensor>;

/**
 * A learner in a device's memory: weights, moments, gradients and images stay there. Images go up once a batch;
 * embeddings and distances come back.
 */
export class ResidentLearner implements Learner, Stepwise {
  readonly #parameters: Parameters;
  readonly #optimizer: AdamW;
  readonly #attack: FixedSteps;
  readonly #options: StepOptions;
  readonly #programs: ResidentPrograms;
  /** Parameters by name and moments by `momentNames`; undefined while those of the host are newer. */
  #learned: Resident | undefined;
  #steps = 0;
  #gradient: Resident = new Map();
  readonly #images = new Map<Part, Images>();

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

  async reference(part: Part): Promise<Float32Array | undefined> {
    const { clean } = await this.#imagesOf(part);
    const { embedding, entropy } = await this.#programs.reference.run({ clean });
    part.original.set(floats(embedding!));
    return entropy && floats(entropy);
  }

  async perturb(part: Part, measured: boolean): Promise<void> {
    const { distance } = this.#programs;
    const own = await this.#imagesOf(part);
    const feeds = { ...(await this.#state()), ...arraysOf(part), ...own };
    if (distance && measured) part.cleanDistance.set(floats((await distance.run(feeds)).cleanDistance!));
    own.adversarial = await this.#ascend(await this.#upload(part.adversarial), feeds);
  }

  /** The part's images, brought to the device by whichever phase needs them first. */
  async #imagesOf(part: Part): Promise<Images> {
    const own = this.#images.get(part) ?? { clean: await this.#upload(part.clean) };
    this.#images.set(part, own);
    return own;
  }

  async #upload(images: Float32Array): Promise<DeviceTensor> {
    return (await this.#programs.images.upload({ images })).get("images")!;
  }

  /** All steps of the inner attack from `start`, of which it disposes. */
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

  descend(parts: readonly Part[], rates: readonly number[], onFirst: (loss: number) => void): Promise<void> {
    return descendStepwise(this, parts, rates, onFirst);
  }

  async primal(parts: readonly Part[]): Promise<number> {
    const state = await this.#state();
    let loss = 0;
    for (const part of parts) {
      const result = await this.#programs.primal.run({ ...state, ...arraysOf(part), ...this.#images.get(part) });
      loss += floats(result.loss!)[0]!;
      part.advDistance.set(floats(result.advDistance!));
      part.advEmbedding.set(floats(result.advEmbedding!));
      if (result.advLoss) part.advLoss.set(floats(result.advLoss));
      if (result.cleanDistance) part.cleanDistance.set(floats(result.cleanDistance));
      const names = [...this.#parameters.keys()].map(gradientName);
      const own: Resident = new Map(names.map((name) => [name, result[name]!]));
      this.#gradient = part.start === 0 ? own : await this.#sum(this.#gradient, own);
    }
    return loss;
  }

  /** Sums of tensors of the same names, of which it disposes. */
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

  release(parts: readonly Part[]): void {
    for (const part of parts) {
      const { clean, adversarial } = this.#images.get(part) ?? {};
      clean?.dispose();
      adversarial?.dispose();
      this.#images.delete(part);
    }
  }

  /** Parameters and moments as programs take them. */
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
