import type { SkippedImage } from "../data/index.ts";

const shown = 20;

/** Collects files that were no images, to list them once at the end. */
export class SkipList {
  readonly #reasons = new Map<string, string>();

  readonly add = ({ id, reason }: SkippedImage): void => {
    this.#reasons.set(id, reason);
  };

  /** The list to print at the end; empty when nothing was skipped. */
  toString(): string {
    if (this.#reasons.size === 0) return "";
    const lines = [...this.#reasons].slice(0, shown).map(([id, reason]) => `  ${id}: ${reason}`);
    const more = this.#reasons.size > shown ? [`  and ${this.#reasons.size - shown} more`] : [];
    const files =
      this.#reasons.size === 1
        ? "1 file that is no readable image"
        : `${this.#reasons.size} files that are no readable images`;
    return [`Skipped ${files}:`, ...lines, ...more].join("\n");
  }
}
