import type { ImageSource } from "../data/index.ts";
import type { Encoder, Parameters } from "../models/index.ts";
import { type Recognition, RecognitionCheck, type RecognitionOptions } from "./recognition.ts";
import type { RunFolder } from "./run-folder.ts";
import { type RecognitionShares, sharesOf, type Verdict, verdictOf } from "./verdict.ts";

/** When a run is judged: before training, on the way, or of the encoder that it saves. */
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

/** Times that a run is judged on the way, evenly spread. */
const looks = 3;

/** Judges a run on images that it never trains on: before, on the way, and after. */
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
   * Looks at the original, where its folder does not say how that went.
   *
   * @returns undefined where too few images are kept aside
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

  /** Whether a step is one after which the run is judged. */
  isDue(step: number, totalSteps: number): boolean {
    for (let look = 1; look <= looks; look++) {
      if (step === Math.round((look * totalSteps) / (looks + 1))) return step < totalSteps;
    }
    return false;
  }

  async during(step: number, parameters: Parameters): Promise<void> {
    await this.#judge("during", step, parameters);
  }

  /** @param parameters of the encoder that the run saves */
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
