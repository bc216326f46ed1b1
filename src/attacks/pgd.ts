import { UsageError } from "../errors.ts";
import type { TypedArray } from "../onnx/tensor.ts";
import { randomStream } from "../random.ts";
import type { Program } from "../runtime/program.ts";
import type { AscentSpec } from "./step.ts";
import { checkThreatModel, randomStart, type ThreatModel } from "./threat.ts";

/** Projected gradient descent (Madry et al. 2018), as ascent on the loss. */
export interface Pgd extends ThreatModel {
  readonly kind: "pgd";
  readonly steps: number;
  /** In pixel units. */
  readonly stepSize: number;
  /** Where a run starts: at the clean image, or uniformly in the ball around it. */
  readonly start: "zero" | "uniform";
  /** Decay of the velocity; 0 for none. */
  readonly momentum: number;
  /** Independent runs an image; the worst counts. */
  readonly restarts: number;
}

export type PgdOptions = Partial<Omit<Pgd, "kind" | "epsilon">> & Pick<Pgd, "epsilon">;

/**
 * PGD's settings with their defaults: l-inf, 20 steps of epsilon / 4, uniform start, no momentum, one run.
 *
 * @throws UsageError when epsilon is outside [0, 1] or a count is not positive
 */
export function pgd(options: PgdOptions): Pgd {
  const attack: Pgd = {
    kind: "pgd",
    norm: "linf",
    steps: 20,
    stepSize: options.epsilon / 4,
    start: "uniform",
    momentum: 0,
    restarts: 1,
    ...options,
  };
  checkThreatModel(attack);
  for (const [name, count] of [
    ["steps", attack.steps],
    ["restarts", attack.restarts],
  ] as const) {
    if (!Number.isInteger(count) || count < 1)
      throw new UsageError(`PGD: ${name} must be a positive integer, got ${count}.`);
  }
  for (const [name, size] of [
    ["the step size", attack.stepSize],
    ["momentum", attack.momentum],
  ] as const) {
    if (!(size >= 0 && size < Infinity)) throw new UsageError(`PGD: ${name} must be a number from 0, got ${size}.`);
  }
  if (attack.restarts > 1 && attack.start === "zero") {
    throw new UsageError("PGD: restarts from the clean image would all be the same; use a uniform start.");
  }
  return attack;
}

/** What `ascentGraph` needs to know of an attack; attacks with equal answers can share a program. */
export function ascentSpec({ norm, momentum }: Pgd, batch: number, imageSize: number): AscentSpec {
  return { batch, imageSize, norm, momentum: momentum > 0 };
}

/** A compiled `ascentGraph` of some batch size. */
export type AscentProgram = Program<string>;

/** Inputs of the target, one array each, for all images of a call. */
export type Feeds = Readonly<Record<string, TypedArray>>;

/**
 * The inner maximisation of training: all images of one batch, all steps, last iterate, as FARE and LORE use it.
 *
 * @param clean [batch, 3, S, S] in [0, 1], exactly the program's batch
 * @param keyOf makes the random start of the batch's i-th image: the same key, the same start
 * @param out receives the perturbed images; same length as `clean`
 */
export async function perturbBatch(
  program: AscentProgram,
  attack: Pgd,
  clean: Float32Array,
  feeds: Feeds,
  keyOf: (image: number) => readonly (number | string)[],
  out: Float32Array,
): Promise<void> {
  const batch = batchOf(program);
  const length = clean.length / batch;
  if (attack.start === "zero") out.set(clean);
  else {
    for (let i = 0; i < batch; i++) {
      const [from, to] = [i * length, (i + 1) * length];
      randomStart(attack, clean.subarray(from, to), randomStream(...keyOf(i)), out.subarray(from, to));
    }
  }
  const velocity = new Float32Array(attack.momentum > 0 ? clean.length : 0);
  for (let step = 0; step < attack.steps; step++) {
    const result = await program.run({ ...feeds, ...scalars(attack), adversarial: out, clean, velocity });
    out.set(result.next as Float32Array);
    if (attack.momentum > 0) velocity.set(result.nextVelocity as Float32Array);
  }
}

function batchOf(program: AscentProgram): number {
  return program.inputs.find((port) => port.name === "adversarial")!.shape[0]!;
}

function scalars({ epsilon, stepSize, momentum }: Pgd): Feeds {
  return { epsilon: Float32Array.of(epsilon), stepSize: Float32Array.of(stepSize), decay: Float32Array.of(momentum) };
}

export interface AttackOutcome {
  /**
   * Perturbed images [count, 3, S, S]: the first of the earliest restart that succeeded, else the one of largest loss
   * over all steps of all restarts.
   */
  readonly adversarial: Float32Array;
  /** Per image: the attack succeeded. */
  readonly success: readonly boolean[];
  /** Per image: the loss of the image returned. */
  readonly loss: Float32Array;
}

export interface AttackJob {
  /** [count, 3, S, S] in [0, 1]; any count. */
  readonly clean: Float32Array;
  readonly count: number;
  /** What makes each image's random start, together with the seed; one number an image. */
  readonly keys: readonly number[];
  /** The target's inputs that have one row an image (labels): `count` rows each. */
  readonly rows: Feeds;
  /** The target's other inputs (weights). */
  readonly shared: Feeds;
  readonly seed: number;
  /** Called as images are finished. */
  readonly onDone?: (images: number) => void;
}

interface Slot {
  readonly image: number;
  readonly restart: number;
  iteration: number;
}

/**
 * Attacks any number of images with a program of fixed batch size whose target knows success. An image leaves its
 * place in the batch as soon as it is broken or its run is over, and the next run takes the place, so that the batch
 * stays full. What an image gets depends on the seed and its key only, never on its neighbours or the batch size: where
 * two restarts of an image share the batch, the later one counts only if the earlier one fails.
 */
export async function runPgd(program: AscentProgram, attack: Pgd, job: AttackJob): Promise<AttackOutcome> {
  const { clean, count, rows, shared, seed } = job;
  const batch = batchOf(program);
  const length = count === 0 ? 0 : clean.length / count;
  const adversarial = clean.slice();
  const success = new Array<boolean>(count).fill(false);
  const loss = new Float32Array(count).fill(Number.NEGATIVE_INFINITY);
  /** The restart that an image's result comes from. */
  const from = new Array<number>(count).fill(Number.POSITIVE_INFINITY);

  const now = new Float32Array(batch * length);
  const origin = new Float32Array(batch * length);
  const velocity = new Float32Array(attack.momentum > 0 ? now.length : 0);
  const slotRows = Object.fromEntries(
    Object.entries(rows).map(([name, all]) => [
      name,
      new (all.constructor as Float32ArrayConstructor)((all.length / count) * batch),
    ]),
  );
  const slots = new Array<Slot | undefined>(batch).fill(undefined);
  const runsLeft = new Array<number>(count).fill(attack.restarts);
  let finished = 0;
  const queue = Array.from({ length: attack.restarts * count }, (_, i) => ({
    image: i % count,
    restart: Math.floor(i / count),
  }));

  const isBeaten = ({ image, restart }: { readonly image: number; readonly restart: number }): boolean =>
    success[image]! && from[image]! < restart;
  const endRun = (image: number): void => {
    runsLeft[image] = runsLeft[image]! - 1;
    if (runsLeft[image] === 0) job.onDone?.(++finished);
  };
  const fill = (at: number): void => {
    let next = queue.shift();
    while (next && isBeaten(next)) {
      endRun(next.image);
      next = queue.shift();
    }
    slots[at] = next && { ...next, iteration: 0 };
    if (!next) return;
    const { image, restart } = next;
    const source = clean.subarray(image * length, (image + 1) * length);
    const target = now.subarray(at * length, (at + 1) * length);
    origin.set(source, at * length);
    if (attack.start === "zero") target.set(source);
    else randomStart(attack, source, randomStream(seed, "pgd", job.keys[image]!, restart), target);
    if (attack.momentum > 0) velocity.fill(0, at * length, (at + 1) * length);
    for (const [name, all] of Object.entries(rows)) copyRow(all, image, count, slotRows[name]!, at, batch);
  };
  for (let at = 0; at < batch; at++) fill(at);

  while (slots.some((slot) => slot !== undefined)) {
    const feeds = { ...shared, ...slotRows, ...scalars(attack), adversarial: now, clean: origin, velocity };
    const result = await program.run(feeds);
    const [losses, broken] = [result.loss as Float32Array, result.success as Uint8Array];
    slots.forEach((slot, at) => {
      if (!slot) return;
      const { image, restart } = slot;
      const done = broken[at] === 1;
      const ahead = losses[at]! > loss[image]! || (losses[at] === loss[image] && restart < from[image]!);
      if (!isBeaten(slot) && (done || (!success[image] && ahead))) {
        loss[image] = losses[at]!;
        success[image] = done;
        from[image] = restart;
        adversarial.set(now.subarray(at * length, (at + 1) * length), image * length);
      }
      if (done || isBeaten(slot) || slot.iteration === attack.steps) {
        endRun(image);
        fill(at);
      } else {
        slot.iteration++;
        now.set((result.next as Float32Array).subarray(at * length, (at + 1) * length), at * length);
        if (attack.momentum > 0) {
          velocity.set((result.nextVelocity as Float32Array).subarray(at * length, (at + 1) * length), at * length);
        }
      }
    });
  }
  return { adversarial, success, loss };
}

function copyRow(from: TypedArray, row: number, rows: number, to: TypedArray, at: number, batch: number): void {
  const size = from.length / rows;
  if (to.length !== size * batch) throw new UsageError("Every per-image input needs one row an image.");
  for (let i = 0; i < size; i++) to[at * size + i] = from[row * size + i]!;
}
