import { type Feeds, type InnerPrograms, perturbBatch } from "../../attacks/index.ts";
import type { Parameters } from "../../models/index.ts";
import { feedsOf } from "../../models/index.ts";
import { gradientName, type Objective } from "../../objectives/index.ts";
import { largestInt8 } from "../../optimize/index.ts";
import { compile, discard, HeldHeap, largestExactInt8, type Program, takingTurns } from "../../runtime/index.ts";
import type { TypedArray } from "../../tensor/index.ts";
import type { AdamW } from "../adamw/adamw.ts";
import { checkNorm } from "../non-finite.ts";
import { addInPlace, sumOfSquares } from "../parameters.ts";
import { feedsOfPart, type ImageRows, type Part } from "../step/batch.ts";
import type { Descent, MeasuredRows } from "../step/descend.ts";
import type { StepOptions } from "../step/options.ts";
import type { KnownRows, Perturbed, StartRows } from "../step/perturb.ts";
import type { OriginalRows } from "../step/reference.ts";
import {
  descendStepwise,
  joinedRows,
  type Learner,
  type Lesson,
  measuredRows,
  type PrimalResult,
  type Stepwise,
} from "./learner.ts";

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
  /** Perturbed images of the whole batch. */
  #adversarial = new Float32Array();

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

  async reference({ rows: { clean } }: Part<ImageRows>): Promise<OriginalRows> {
    const { embedding, entropy } = await this.#programs.reference.run({ ...feedsOf(this.#original), clean });
    return {
      original: (embedding as Float32Array).slice(),
      ...(entropy && { entropy: (entropy as Float32Array).slice() }),
    };
  }

  async perturb(part: Part<KnownRows>, starts: StartRows, measured: boolean): Promise<Perturbed> {
    const { distance } = this.#programs;
    const { clean } = part.rows;
    const images = this.#imagesOf(part);
    images.set(starts.adversarial);
    const weights = { ...feedsOf(this.#parameters), ...(await this.#inInt8(part)) };
    const feeds = { ...weights, ...feedsOfPart(part), ...starts, adversarial: images };
    const distances = distance && measured ? (await distance.run(feeds)).cleanDistance : undefined;
    await perturbBatch(this.#programs, this.#objective.attack, clean, feeds, images);
    return distances ? { cleanDistance: (distances as Float32Array).slice() } : {};
  }

  /** The part's perturbed images, in memory shared with parts of another size. */
  #imagesOf({ batch, start, size }: Part<KnownRows>): Float32Array {
    const { length } = batch.images.clean;
    if (this.#adversarial.length !== length) this.#adversarial = new Float32Array(length);
    const image = length / batch.length;
    return this.#adversarial.subarray(start * image, (start + size) * image);
  }

  /** Weights in int8, made for a batch's first part and reused for the others. */
  async #inInt8({ start }: Part<KnownRows>): Promise<Feeds> {
    const { int8Weights } = this.#programs;
    if (!int8Weights) return {};
    const { program, largest } = int8Weights;
    if (start === 0) await program.run({ ...feedsOf(this.#parameters), [largestInt8]: largest });
    return program.outputs;
  }

  descend(parts: readonly Part<KnownRows>[], rates: readonly number[]): Promise<Descent> {
    return descendStepwise(this, parts, rates);
  }

  async primal(parts: readonly Part<KnownRows>[]): Promise<PrimalResult> {
    let loss = 0;
    const measured: MeasuredRows[] = [];
    for (const part of parts) {
      const feeds = { ...feedsOf(this.#parameters), ...feedsOfPart(part), adversarial: this.#imagesOf(part) };
      const result = await this.#programs.primal.runFresh(feeds);
      loss += (result.loss as Float32Array)[0]!;
      measured.push(measuredRows(result, floats));
      const names = [...this.#parameters.keys()];
      const own = new Map(names.map((name) => [name, result[gradientName(name)] as Float32Array]));
      if (part.start === 0) this.#gradient = own;
      else {
        for (const [name, sum] of this.#gradient) addInPlace(sum, own.get(name)!);
        discard(own.values());
      }
    }
    return { loss, measured: joinedRows(parts, measured) };
  }

  async update(learningRate: number): Promise<void> {
    const scale = this.#clipScale();
    this.#optimizer.step(this.#parameters, (name) => this.#gradient.get(name)!, learningRate, scale);
    discard(this.#gradient.values());
    this.#gradient = new Map();
  }

  /** Factor that clips the gradient's norm to the limit. Also checks that the norm is finite. */
  #clipScale(): number {
    const squares = [...this.#gradient.values()].map(sumOfSquares);
    const norm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
    checkNorm(norm);
    return norm > this.#clipGradient ? this.#clipGradient / norm : 1;
  }

  release(): void {
    // By now, memory has grown to the size that a batch needs.
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

function floats(array: TypedArray): Float32Array {
  return array as Float32Array;
}
