import { type Feeds, type InnerPrograms, perturbBatch } from "../../attacks/index.ts";
import type { Parameters } from "../../models/index.ts";
import { feedsOf } from "../../models/index.ts";
import { gradientName, type Objective } from "../../objectives/index.ts";
import { largestInt8 } from "../../optimize/index.ts";
import { compile, discard, HeldHeap, largestExactInt8, type Program, takingTurns } from "../../runtime/index.ts";
import type { AdamW } from "../adamw/adamw.ts";
import { arraysOf, type Part } from "../batch-slice.ts";
import { checkNorm } from "../non-finite.ts";
import { addInPlace, sumOfSquares } from "../parameters.ts";
import type { StepOptions } from "../training-step.ts";
import { descendStepwise, type Learner, type Lesson, type Stepwise } from "./learner.ts";

/** The gradient of a batch's loss by parameter. */
type Gradient = ReadonlyMap<string, Float32Array>;

/** A learner in host memory: programs read the weights' arrays in place, the optimiser changes them in place. */
export class HostLearner implements Learner, Stepwise {
  readonly #original: Parameters;
  readonly #parameters: Parameters;
  readonly #optimizer: AdamW;
  readonly #objective: Objective;
  readonly #clipGradient: number;
  readonly #programs: Programs;
  readonly #heap: HeldHeap | undefined;
  #gradient: Gradient = new Map();

  private constructor(
    { original, parameters, optimizer, objective }: Lesson,
    clipGradient: number,
    programs: Programs,
    heap: HeldHeap | undefined,
  ) {
    this.#original = original;
    this.#parameters = parameters;
    this.#optimizer = optimizer;
    this.#objective = objective;
    this.#clipGradient = clipGradient;
    this.#programs = programs;
    this.#heap = heap;
  }

  static async create(lesson: Lesson, options: StepOptions): Promise<HostLearner> {
    const { reference, ascent, int8Weights, lastLook, primal, distance } = lesson.graphs;
    const shared = takingTurns(options);
    const programs = {
      reference: await compile(reference, shared),
      ascent: await compile(ascent, shared),
      int8Weights: int8Weights && {
        program: await compile(int8Weights, shared),
        largest: Float32Array.of(await largestExactInt8()),
      },
      lastLook: lastLook && (await compile(lastLook, shared)),
      primal: await compile(primal, shared),
      distance: distance && (await compile(distance, shared)),
    };
    const heap = shared.releaseMemory ? await HeldHeap.open() : undefined;
    return new HostLearner(lesson, options.clipGradient ?? Infinity, programs, heap);
  }

  async reference({ clean, original }: Part): Promise<Float32Array | undefined> {
    const { embedding, entropy } = await this.#programs.reference.run({ ...feedsOf(this.#original), clean });
    original.set(embedding as Float32Array);
    return entropy as Float32Array | undefined;
  }

  async perturb(part: Part, measured: boolean): Promise<void> {
    const { distance } = this.#programs;
    const feeds = { ...feedsOf(this.#parameters), ...(await this.#inInt8(part)), ...arraysOf(part) };
    if (distance && measured) part.cleanDistance.set((await distance.run(feeds)).cleanDistance as Float32Array);
    await perturbBatch(this.#programs, this.#objective.attack, part.clean, feeds, part.adversarial);
  }

  /** Weights in int8: made for a batch's first part, the same for the others. */
  async #inInt8({ start }: Part): Promise<Feeds> {
    const { int8Weights } = this.#programs;
    if (!int8Weights) return {};
    const { program, largest } = int8Weights;
    if (start === 0) await program.run({ ...feedsOf(this.#parameters), [largestInt8]: largest });
    return program.outputs;
  }

  descend(parts: readonly Part[], rates: readonly number[], onFirst: (loss: number) => void): Promise<void> {
    return descendStepwise(this, parts, rates, onFirst);
  }

  async primal(parts: readonly Part[]): Promise<number> {
    let loss = 0;
    for (const part of parts) {
      const result = await this.#programs.primal.runFresh({ ...feedsOf(this.#parameters), ...arraysOf(part) });
      loss += (result.loss as Float32Array)[0]!;
      part.advDistance.set(result.advDistance as Float32Array);
      part.advEmbedding.set(result.advEmbedding as Float32Array);
      if (result.advLoss) part.advLoss.set(result.advLoss as Float32Array);
      if (result.cleanDistance) part.cleanDistance.set(result.cleanDistance as Float32Array);
      const names = [...this.#parameters.keys()];
      const own = new Map(names.map((name) => [name, result[gradientName(name)] as Float32Array]));
      if (part.start === 0) this.#gradient = own;
      else {
        for (const [name, sum] of this.#gradient) addInPlace(sum, own.get(name)!);
        discard(own.values());
      }
    }
    return loss;
  }

  async update(learningRate: number): Promise<void> {
    const scale = this.#clipScale();
    this.#optimizer.step(this.#parameters, (name) => this.#gradient.get(name)!, learningRate, scale);
    discard(this.#gradient.values());
    this.#gradient = new Map();
  }

  /** Factor that brings the gradient's norm to the limit; checks on the way that it is finite. */
  #clipScale(): number {
    const squares = [...this.#gradient.values()].map(sumOfSquares);
    const norm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
    checkNorm(norm);
    return norm > this.#clipGradient ? this.#clipGradient / norm : 1;
  }

  release(): void {
    // Memory has grown to what a batch needs by now.
    this.#heap?.hold();
  }

  async pull(): Promise<void> {}
  push(): void {}

  async dispose(): Promise<void> {
    const { int8Weights, ...programs } = this.#programs;
    for (const program of [...Object.values(programs), int8Weights?.program]) await program?.dispose();
    this.#heap?.release();
  }
}

interface Programs extends InnerPrograms {
  readonly reference: Program;
  readonly int8Weights: { readonly program: Program; readonly largest: Float32Array } | undefined;
  readonly primal: Program;
  readonly distance: Program | undefined;
}
