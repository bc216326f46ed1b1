import { UsageError } from "../errors.ts";
import type { SkippedImage } from "./batches.ts";
import type { ImageSource } from "./source.ts";

/** Counts the images that could not be read in the course of a measurement. */
export class Skips {
  readonly #onSkip: ((skip: SkippedImage) => void) | undefined;
  #first: SkippedImage | undefined;
  #count = 0;

  /** @param onSkip is told of each */
  constructor(onSkip?: (skip: SkippedImage) => void) {
    this.#onSkip = onSkip;
  }

  readonly add = (skip: SkippedImage): void => {
    this.#first ??= skip;
    this.#count++;
    this.#onSkip?.(skip);
  };

  get count(): number {
    return this.#count;
  }

  /** The error for when no image could be read. */
  nothingRead({ name }: Pick<ImageSource, "name">): UsageError {
    const first = this.#first ? ` The first, ${this.#first.id}: ${this.#first.reason}` : "";
    return new UsageError(`${name}: none of the images could be read.${first}`);
  }
}
