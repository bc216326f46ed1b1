import type { Found, Origin } from "../../attacks/index.ts";
import {
  lossGraph,
  misclassification,
  type Plan,
  pgd,
  pgdSearch,
  runSearches,
  type Search,
} from "../../attacks/index.ts";
import { defined } from "../../defined.ts";
import type { Value } from "../../graph/index.ts";
import { randomStream } from "../../random.ts";
import { type CompileOptions, compile, ProgramLadder } from "../../runtime/index.ts";
import type { Similarity } from "./similarity.ts";

/** The largest epsilon that flips are searched up to, pixel units. */
export const flipUpTo = 16 / 255;

/** Halvings of `flipUpTo`: epsilons are exact to 1/16 of a level of 255, for encoders that flip at a quarter of one. */
const halvings = 8;

export const flipResolution = flipUpTo / 2 ** halvings;

export interface FlipJob {
  /** [count, 3, S, S] in [0, 1] */
  readonly pixels: Float32Array;
  /** The encoder's clean predictions, which must change. */
  readonly predictions: readonly number[];
  /** Keys of the images' random numbers, together with the seed. */
  readonly keys: readonly number[];
  readonly seed: number;
  /** Called with the number of images done since the last call. */
  readonly onDone?: (images: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds the smallest epsilons at which PGD changes an encoder's predictions. `dispose` frees the programs.
 *
 * For each image l-inf PGD (cross-entropy, 20 steps of epsilon / 4, uniform start) runs at epsilons found by bisection of
 * [0, `flipUpTo`]. The result is an upper bound: the attack succeeded at that epsilon and failed one resolution below,
 * where a stronger attack might succeed.
 */
export class Flips {
  readonly #programs: ProgramLadder;

  constructor(
    { values, scale }: Similarity,
    { imageSize, batch, ...options }: CompileOptions & { readonly imageSize: number; readonly batch: number },
  ) {
    const logits = (pixels: Value): Value => pixels.graph.mul(values(pixels), scale);
    this.#programs = new ProgramLadder(
      (size) => compile(lossGraph({ batch: size, imageSize, gradient: true }, misclassification(logits)), options),
      batch,
    );
  }

  /** @returns per image its epsilon; undefined where `flipUpTo` does not change the prediction */
  async find({ pixels, predictions, keys, seed, onDone, signal }: FlipJob): Promise<readonly (number | undefined)[]> {
    const count = predictions.length;
    const size = pixels.length / count;
    const epsilons = new Array<number | undefined>(count);
    const plan: Plan = {
      runs: 1,
      eot: 1,
      begin: (i) => {
        const clean = pixels.subarray(i * size, (i + 1) * size);
        // Same start as the attack's own at each epsilon, so that a single run of it gives the same result.
        const origin = (): Origin => ({ clean, random: randomStream(seed, "pgd", keys[i]!, 0) });
        return bisection(origin, (epsilon) => {
          epsilons[i] = epsilon;
        });
      },
    };
    const rows = { labels: BigInt64Array.from(predictions, BigInt) };
    await runSearches(this.#programs, plan, {
      ...{ clean: pixels, count, rows },
      ...defined({ signal }),
      onDone: async (images) => onDone?.(images.length),
    });
    return epsilons;
  }

  dispose(): Promise<void> {
    return this.#programs.dispose();
  }
}

/** Bisection of one image: PGD at one epsilon after another. */
function* bisection(origin: () => Origin, onSuccess: (epsilon: number) => void): Search {
  let found: Found = yield* pgdSearch(pgd({ epsilon: flipUpTo }), origin());
  if (!found.success) return found;
  onSuccess(flipUpTo);
  let [below, above] = [0, flipUpTo];
  for (let halving = 0; halving < halvings; halving++) {
    const epsilon = (below + above) / 2;
    const next: Found = yield* pgdSearch(pgd({ epsilon }), origin());
    if (next.success) {
      found = next;
      above = epsilon;
      onSuccess(epsilon);
    } else below = epsilon;
  }
  return found;
}
