import {
  type Attack,
  type AttackOutcome,
  type AutoAttack,
  attackName,
  measurementName,
  measurementNorm,
} from "../../attacks/index.ts";
import type { Telling } from "../../data/index.ts";
import { formatEpsilon } from "../../epsilon.ts";
import type { Predictor } from "../../inference/index.ts";
import { rowOf } from "../../inference/index.ts";
import type { Stage } from "../../results/index.ts";
import type { Attacker } from "./attacker.ts";
import { fittingAttacks, maskingWarning } from "./checks.ts";
import { type CorrectImage, joined } from "./chunk.ts";
import type { ImageRecord, ResultsFolder } from "./image-records.ts";

export interface MeasurementContext {
  readonly predictor: Predictor;
  readonly attacker: Attacker;
  readonly classes: number;
  readonly seed: number;
  readonly quantize: boolean;
  /** Whether the attacker's encoder differs from the predictor's. */
  readonly transfer: boolean;
  readonly results?: ResultsFolder | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Handling of attacks that cannot be run. Default: they are left out. */
  readonly telling?: Telling;
  /**
   * Called with the attack's name and epsilon, the number of images done, and the number of points evaluated.
   */
  readonly onProgress?: (phase: string, done: number, points: number) => void;
}

/** Measures one attack, or a list that runs on the images still right, over any number of chunks. */
export class Measurement {
  readonly #what: Attack | AutoAttack;
  readonly #attacks: readonly Attack[];
  readonly #context: MeasurementContext;
  /** Name of its results: attack, norm and epsilon. */
  readonly name: string;
  /** Images that withstood all attacks. */
  readonly withstood: number[] = [];
  readonly #stages: { readonly attack: string; survivors: number; seconds: number }[];

  constructor(what: Attack | AutoAttack, context: MeasurementContext) {
    this.#what = what;
    this.#attacks = fittingAttacks(what, context.classes, context.telling);
    this.#context = context;
    this.name = [measurementName(what), measurementNorm(what), formatEpsilon(what.epsilon)].join(" ");
    this.#stages = this.#attacks.map((attack) => ({ attack: attackName(attack), survivors: 0, seconds: 0 }));
  }

  async add(images: readonly CorrectImage[]): Promise<void> {
    let survivors = images;
    for (const [i, attack] of this.#attacks.entries()) {
      const stage = this.#stages[i]!;
      const started = performance.now();
      const records = await this.#attack(attack, survivors, images.length - survivors.length);
      survivors = survivors.filter((_, j) => !records[j]!.broken);
      stage.survivors += survivors.length;
      stage.seconds += (performance.now() - started) / 1000;
    }
    this.withstood.push(...survivors.map(({ index }) => index));
  }

  /** @param done images that need no attack, for the progress */
  async #attack(attack: Attack, images: readonly CorrectImage[], done: number): Promise<readonly ImageRecord[]> {
    const { results } = this.#context;
    const stage = attackName(attack);
    const known = images.map(({ index }) => results?.find(this.name, stage, index));
    const open = images.filter((_, i) => !known[i]);
    const found = await this.#run(attack, open, done + images.length - open.length);
    return known.map((record) => record ?? found.shift()!);
  }

  /** Attacks the images. Finished ones are saved batch by batch, so an interruption does not lose them. */
  async #run(attack: Attack, images: readonly CorrectImage[], before: number): Promise<ImageRecord[]> {
    if (images.length === 0) return [];
    const { attacker, predictor, classes, seed, quantize, signal, onProgress } = this.#context;
    const records: ImageRecord[] = [];
    const finished: number[] = [];
    let outcome: AttackOutcome | undefined;
    let done = before;
    let points = 0;
    const report = (): void => onProgress?.(`${attackName(attack)} ${formatEpsilon(attack.epsilon)}`, done, points);
    const keep = async (): Promise<void> => {
      const some = finished.splice(0, predictor.batch);
      const made = await this.#record(attack, images, some, outcome!);
      for (const [i, record] of made.entries()) records[some[i]!] = record;
    };
    try {
      await attacker.run(attack, {
        clean: joined(images.map(({ pixels }) => pixels)),
        count: images.length,
        keys: images.map(({ index }) => index),
        seed,
        labels: images.map(({ label }) => label),
        ids: images.map(({ id }) => id),
        classes,
        others: (i) => images[i]!.others,
        embeddings: joined(images.map(({ embedding }) => embedding)),
        quantize,
        signal,
        onLook: (looked) => {
          points += looked;
          report();
        },
        onDone: async (some, found) => {
          outcome = found;
          finished.push(...some);
          done += some.length;
          report();
          while (finished.length >= predictor.batch) await keep();
        },
      });
    } finally {
      if (finished.length > 0) await keep();
    }
    return records;
  }

  /** Records the outcome of the attack on these images. */
  async #record(
    attack: Attack,
    images: readonly CorrectImage[],
    finished: readonly number[],
    { adversarial, success, iteration, run }: AttackOutcome,
  ): Promise<readonly ImageRecord[]> {
    const { predictor, transfer, results } = this.#context;
    const stage = attackName(attack);
    const pixels = joined(finished.map((i) => rowOf(adversarial, i, images.length)));
    const labels = finished.map((i) => images[i]!.label);
    const nameOf = (at: number): string => `${images[finished[at]!]!.id}, perturbed by ${stage}`;
    const { classes, margins } = await predictor.predict(pixels, labels, nameOf);
    const records = finished.map((i, at): ImageRecord => {
      const { index, id, label } = images[i]!;
      return {
        ...{ index, id, label, measurement: this.name, attack: stage },
        prediction: classes[at]!,
        margin: margins[at]!,
        // Batches of other sizes may round differently: an image that the attack saw misclassified, however barely, counts.
        broken: classes[at] !== label || (!transfer && success[i]!),
        iteration: iteration[i]!,
        run: run[i]!,
      };
    });
    // Before the records, which declare the images done.
    const indices = records.map(({ index }) => index);
    results?.saveAdversarial(this.name, stage, { indices, pixels, imageSize: predictor.imageSize });
    results?.add(records);
    return records;
  }

  /** @param images total count, including those misclassified clean */
  result(images: number) {
    const stages = this.#stages.map(({ survivors, ...rest }): Stage => ({ ...rest, accuracy: survivors / images }));
    const masking = maskingWarning(stages);
    return {
      attack: measurementName(this.#what),
      norm: measurementNorm(this.#what),
      epsilon: this.#what.epsilon,
      accuracy: stages.at(-1)!.accuracy,
      seconds: stages.reduce((sum, { seconds }) => sum + seconds, 0),
      ...(this.#what.kind === "autoattack" && { stages }),
      warnings: masking === undefined ? [] : [masking],
    };
  }
}
