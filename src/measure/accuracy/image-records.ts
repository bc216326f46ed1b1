import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { appendLines, writeAtomically } from "../../files.ts";
import { openKept } from "../../results/index.ts";
import { encodeSafetensors } from "../../safetensors.ts";
import type { Tensor } from "../../tensor/index.ts";

/** Result of one attack on one image; a line of `results.jsonl`. */
export interface ImageRecord {
  /** The image's place in the source. */
  readonly index: number;
  readonly id: string;
  readonly label: number;
  /** Name of the measurement: the attack or AutoAttack, norm and epsilon; `clean` for the unperturbed image. */
  readonly measurement: string;
  /** The attack within it: `apgd-ce`, `square` ...; `clean`. */
  readonly attack: string;
  /** Predicted class of the attack's final image. */
  readonly prediction: number;
  /** The label's logit minus the largest other, of the same image. */
  readonly margin: number;
  readonly broken: boolean;
  /** Steps (points after the first) that the run which gave this image took; absent for `clean`. */
  readonly iteration?: number;
  /** Number of the restart or target, from 0; absent for `clean`. */
  readonly run?: number;
}

export interface AdversarialImages {
  readonly indices: readonly number[];
  /** [count, 3, S, S] */
  readonly pixels: Float32Array;
  readonly imageSize: number;
}

const recordsFile = "results.jsonl";
const adversarialFolder = "adversarial";

/**
 * Folder of a measurement in progress: `settings.json`, `results.jsonl` with one line per image and attack, and, if
 * requested, `adversarial/*.safetensors`. Reopened with the same settings, it continues from the earlier results.
 */
export class ResultsFolder {
  readonly #folder: string;
  readonly #known = new Map<string, ImageRecord>();
  readonly #saveAdversarial: boolean;

  /**
   * @param settings everything that the numbers depend on, as JSON
   * @throws UsageError when the folder holds results of other settings, cannot be written, or has no adversarial images of
   *   what it holds though they are to be saved
   */
  constructor(folder: string, settings: Readonly<Record<string, unknown>>, { saveAdversarial = false } = {}) {
    this.#folder = folder;
    this.#saveAdversarial = saveAdversarial;
    for (const record of openKept<ImageRecord>(folder, { settings, file: recordsFile }))
      this.#known.set(keyOf(record), record);
    if (saveAdversarial && this.counts.attacked > 0 && !existsSync(join(folder, adversarialFolder)))
      throw new UsageError(
        `${folder} holds results whose adversarial images were not saved. Give another folder with --out to save them.`,
      );
  }

  /** Images evaluated clean, and results of attacks on single images. */
  get counts(): { readonly images: number; readonly attacked: number } {
    const images = [...this.#known.values()].filter(({ attack }) => attack === "clean").length;
    return { images, attacked: this.#known.size - images };
  }

  find(measurement: string, attack: string, index: number): ImageRecord | undefined {
    return this.#known.get(keyOf({ measurement, attack, index }));
  }

  add(records: readonly ImageRecord[]): void {
    const fresh = records.filter((record) => !this.#known.has(keyOf(record)));
    if (fresh.length === 0) return;
    appendLines(join(this.#folder, recordsFile), fresh);
    for (const record of fresh) this.#known.set(keyOf(record), record);
  }

  saveAdversarial(measurement: string, attack: string, { indices, pixels, imageSize }: AdversarialImages): void {
    if (!this.#saveAdversarial || indices.length === 0) return;
    const name = `${measurement} ${attack} from ${indices[0]}`.replace(/[^\w.-]+/g, "-");
    const folder = join(this.#folder, adversarialFolder);
    mkdirSync(folder, { recursive: true });
    const tensors = new Map<string, Tensor>([
      ["adversarial", { dtype: "float32", shape: [indices.length, 3, imageSize, imageSize], data: pixels }],
      ["index", { dtype: "int64", shape: [indices.length], data: BigInt64Array.from(indices, BigInt) }],
    ]);
    writeAtomically(join(folder, `${name}.safetensors`), encodeSafetensors(tensors));
  }
}

function keyOf({ measurement, attack, index }: Pick<ImageRecord, "measurement" | "attack" | "index">): string {
  return `${measurement}\n${attack}\n${index}`;
}
