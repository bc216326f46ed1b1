import type { ImageSource } from "../data/index.ts";
import type { Encoder, Parameters } from "../models/index.ts";
import { type Recognition, RecognitionCheck, type RecognitionOptions } from "./recognition.ts";
import type { RunFolder } from "./run-folder.ts";
import { type RecognitionShares, sharesOf, type Verdict, verdictOf } from "./verdict.ts";

/** Time of a judgement: before training, during it, or of the saved encoder. */
export type JudgedAt = "before" | "during" | "after";

/** A line of `recognition.jsonl`. */
export interface RecordedRecognition extends RecognitionShares {
  readonly when: JudgedAt;
  /** Batches done. */
  readonly step: number;
  readonly images: number;
  /** One digit an image, 1 where it is recognised. */
  readonly byImage: { readonly clean: string; readonly attacked: string };
}

/** Judgements during a run, evenly spread. */
const looks = 3;

/** Judges a run on held-out images: before, during and after training. */
export class Judge {
  readonly #check: RecognitionCheck;
  readonly #folder: RunFolder | undefined;
  readonly #onJudged: ((recorded: RecordedRecognition) => void) | undefined;
  #before: Recognition | undefined;

  private constructor(
    check: RecognitionCheck,
    folder: RunFolder | undefined,
    onJudged: ((recorded: RecordedRecognition) => void) | undefined,
  ) {
    this.#check = check;
    this.#folder = folder;
    this.#onJudged = onJudged;
  }

  /**
   * Judges the original, unless its folder has the result already.
   *
   * @returns undefined with too few held-out images
   */
  static async open(
    original: Encoder,
    source: ImageSource,
    keptAside: readonly number[],
    folder: RunFolder | undefined,
    options: RecognitionOptions & { readonly onJudged?: (recorded: RecordedRecognition) => void },
  ): Promise<Judge | undefined> {
    const check = await RecognitionCheck.open(original, source, keptAside, options);
    if (!check) return undefined;
    const judge = new Judge(check, folder, options.onJudged);
    const known = folder?.recognition().find(({ when }) => when === "before");
    judge.#before = known ? recognitionOf(known) : await judge.#judge("before", 0, original.parameters);
    return judge;
  }

  /** Whether the run is judged after a step. */
  isDue(step: number, totalSteps: number): boolean {
    for (let look = 1; look <= looks; look++) {
      if (step === Math.round((look * totalSteps) / (looks + 1))) return step < totalSteps;
    }
    return false;
  }

  async during(step: number, parameters: Parameters): Promise<void> {
    await this.#judge("during", step, parameters);
  }

  /** @param parameters weights of the encoder that the run saves */
  async after(step: number, parameters: Parameters): Promise<Verdict> {
    return verdictOf(this.#before!, await this.#judge("after", step, parameters));
  }

  async #judge(when: JudgedAt, step: number, parameters: Parameters): Promise<Recognition> {
    const recognition = await this.#check.under(parameters);
    const digits = (list: readonly boolean[]): string => list.map(Number).join("");
    const recorded = {
      ...{ when, step, images: this.#check.count, ...sharesOf(recognition) },
      byImage: { clean: digits(recognition.clean), attacked: digits(recognition.attacked) },
    };
    this.#folder?.appendRecognition(recorded);
    this.#onJudged?.(recorded);
    return recognition;
  }
}

function recognitionOf({ byImage }: RecordedRecognition): Recognition {
  const flags = (digits: string): readonly boolean[] => [...digits].map((digit) => digit === "1");
  return { clean: flags(byImage.clean), attacked: flags(byImage.attacked) };
}
