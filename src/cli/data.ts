import { type ImageSource, openSource, tellRemarks } from "../data/index.ts";
import { defined } from "../defined.ts";
import type { ProgressLine } from "./progress.ts";

/** Warnings on stderr, each once. */
export class Warnings {
  readonly #progress: ProgressLine;
  readonly #told = new Set<string>();

  constructor(progress: ProgressLine) {
    this.#progress = progress;
  }

  readonly tell = (message: string): void => {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#progress.note(`Warning: ${message}`);
  };

  /** Messages of a result that were not shown while it was computed. */
  rest(messages: readonly string[], prefix = ""): readonly string[] {
    return messages.filter((message) => !this.#told.has(message)).map((message) => `${prefix}${message}`);
  }

  /** Prints a remark that affects no number. */
  remark(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#progress.note(`Note: ${message}`);
  }
}

interface DataFlags {
  readonly seed: number;
  readonly classes?: string;
  readonly strict?: true;
}

/**
 * Opens the images named on the command line. Warns of images that are left out before anything is computed.
 *
 * @throws UsageError when they cannot be used, or under `--strict` something is left out
 */
export async function openData(
  spec: string,
  { seed, classes, strict }: DataFlags,
  warnings: Warnings,
): Promise<ImageSource> {
  const source = await openSource(spec, defined({ seed, classesFile: classes }));
  for (const { kind, message } of source.remarks ?? []) if (kind === "fact") warnings.remark(message);
  tellRemarks(source, "fault", { ...defined({ strict }), onWarning: warnings.tell });
  return source;
}
