import { randomStream } from "../random.ts";
import type { Program } from "../runtime/index.ts";
import { apgdSearch } from "./apgd-search.ts";
import { ascendBatch } from "./ascent.ts";
import type { AutoSteps, InnerAttack } from "./inner.ts";
import type { Feeds } from "./scheduler.ts";
import type { Answer } from "./search.ts";

/** The programs of an inner attack, for one batch size. */
export interface InnerPrograms {
  /** One of its steps: `ascentGraph` for fixed steps, `lossGraph` with gradients for APGD. */
  readonly ascent: Program;
  /** `lossGraph` without gradients; for APGD, whose last point needs none. */
  readonly lastLook: Program | undefined;
}

/**
 * The inner maximisation of training, on all images of one batch.
 *
 * @param clean [batch, 3, S, S] in [0, 1], exactly the programs' batch
 * @param feeds `epsilon` (and for fixed steps `stepSize`) [batch], and whatever else the programs read: weights,
 *   original embeddings, labels
 * @param out holds the images to start from and receives the perturbed ones; same length as `clean`
 */
export async function perturbBatch(
  { ascent, lastLook }: InnerPrograms,
  attack: InnerAttack,
  clean: Float32Array,
  feeds: Feeds,
  out: Float32Array,
): Promise<void> {
  if (attack.schedule === "apgd") return autoAscend(ascent, lastLook!, attack, clean, feeds, out);
  await ascendBatch(ascent, attack, clean, feeds, out);
}

/** One search an image, all at the same step: none ends early, because there is no success to end it. */
async function autoAscend(
  ascent: Program,
  lastLook: Program,
  attack: AutoSteps,
  clean: Float32Array,
  feeds: Feeds,
  out: Float32Array,
): Promise<void> {
  const batch = lastLook.inputs.find(({ name }) => name === "pixels")!.shape[0]!;
  const length = clean.length / batch;
  const { norm, steps } = attack;
  const sizes = feeds.epsilon as Float32Array;
  // A given start leaves nothing to chance.
  const random = randomStream();
  const searches = Array.from({ length: batch }, (_, i) => {
    const [from, to] = [i * length, (i + 1) * length];
    return apgdSearch(
      { norm, steps, epsilon: sizes[i]! },
      { clean: clean.subarray(from, to), start: out.slice(from, to), random },
    );
  });
  let states = searches.map((search) => search.next());
  for (let step = 0; step <= steps; step++) {
    states.forEach(({ value }, i) => void out.set(value.point, i * length));
    const answers = await answersOf(step < steps ? ascent : lastLook, { ...feeds, pixels: out }, batch);
    states = searches.map((search, i) => search.next(answers[i]!));
  }
  states.forEach(({ value }, i) => void out.set(value.point, i * length));
}

async function answersOf(program: Program, feeds: Feeds, batch: number): Promise<readonly Answer[]> {
  const { loss, gradient = new Float32Array() } = await program.run(feeds);
  const length = gradient.length / batch;
  return Array.from({ length: batch }, (_, i) => ({
    loss: (loss as Float32Array)[i]!,
    gradient: (gradient as Float32Array).slice(i * length, (i + 1) * length),
    success: false,
  }));
}
