import type { Found } from "./search.ts";

/** The best point that an attack found for each image. */
export interface AttackOutcome {
  /** Perturbed images [count, 3, S, S]: the earliest run's that succeeded, else the one of largest loss over all runs. */
  readonly adversarial: Float32Array;
  /** Per image: whether the attack succeeded. */
  readonly success: readonly boolean[];
  /** Per image: the loss of the image returned. */
  readonly loss: Float32Array;
  /** Per image: the run that found the image returned. */
  readonly run: readonly number[];
  /** Per image: points that this run had evaluated before its last; 0 where its start was a success. */
  readonly iteration: readonly number[];
}

/** The best of each image's runs so far. */
export class BestRuns implements AttackOutcome {
  readonly adversarial: Float32Array;
  readonly success: boolean[];
  readonly loss: Float32Array;
  readonly run: number[];
  readonly iteration: number[];
  readonly #left: number[];
  #finished: number[] = [];

  constructor(clean: Float32Array, count: number, runs: number) {
    this.adversarial = clean.slice();
    this.success = new Array<boolean>(count).fill(false);
    this.loss = new Float32Array(count).fill(Number.NEGATIVE_INFINITY);
    this.run = new Array<number>(count).fill(Number.POSITIVE_INFINITY);
    this.iteration = new Array<number>(count).fill(0);
    this.#left = new Array<number>(count).fill(runs);
  }

  /** Whether an earlier run has broken the image. */
  settled(image: number, run: number): boolean {
    return this.success[image]! && this.run[image]! < run;
  }

  /** Counts a run that will add nothing, or has added what it found. */
  abandon(image: number): void {
    this.#left[image] = this.#left[image]! - 1;
    if (this.#left[image] === 0) this.#finished.push(image);
  }

  /** Images that have no run left, since the last call. */
  takeFinished(): readonly number[] {
    const finished = this.#finished;
    this.#finished = [];
    return finished;
  }

  add(image: number, run: number, iteration: number, { point, loss, success }: Found): void {
    const better = success
      ? !this.success[image] || run < this.run[image]!
      : !this.success[image] &&
        (loss > this.loss[image]! ||
          (loss === this.loss[image] && run < this.run[image]!) ||
          this.run[image] === Infinity);
    if (better) {
      this.adversarial.set(point, image * point.length);
      this.loss[image] = loss;
      this.success[image] = success;
      this.run[image] = run;
      this.iteration[image] = iteration;
    }
    this.abandon(image);
  }
}
