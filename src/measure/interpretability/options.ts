import type { SkippedImage, Telling } from "../../data/index.ts";
import type { ZeroShotOptions } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import type { CompileOptions } from "../../runtime/index.ts";

import type { KeptInterpretation } from "./saved-interpretation.ts";

export interface InterpretOptions extends Pick<ZeroShotOptions, "cache">, Telling, CompileOptions {
  /** Templates of the alignment, `{}` for the class's name. Default: the 150 that ship with the project. */
  readonly templates?: readonly string[];
  /** Texts to search for the nearest to an image. Default: the classes in a plain template. */
  readonly texts?: readonly string[];
  /** Texts that images are synthesised towards. Default: the first six classes in a plain template. */
  readonly towards?: readonly string[];
  /** Images in the picture of saliency maps and the lists of nearest texts. Default 4. */
  readonly shown?: number;
  /** Images to use, taken class by class in turn. Default: all. */
  readonly limit?: number;
  /** Images a program takes at a time. Default 16. */
  readonly batch?: number;
  readonly seed?: number;
  /** One per encoder: saves results, and returns earlier ones. Default: nothing is saved. */
  readonly kept?: readonly (KeptInterpretation | undefined)[];
  /** Aborts the measurement, which rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onSkip?: (skip: SkippedImage) => void;
  readonly onProgress?: (progress: InterpretProgress) => void;
}

export interface InterpretProgress {
  readonly phase: "prompts" | "images" | "synthesis";
  /** The encoder's name. */
  readonly encoder: string;
  readonly done: number;
  readonly total: number;
}

/** Options with defaults filled in. */
export interface Settings extends InterpretOptions {
  readonly templates: readonly string[];
  readonly texts: readonly string[];
  readonly towards: readonly string[];
  readonly shown: number;
  readonly seed: number;
  /** Indices into the source's items. */
  readonly order: readonly number[];
}

/** Progress in one phase. */
export function progressIn(
  phase: InterpretProgress["phase"],
  { name: encoder }: Encoder,
  { onProgress }: InterpretOptions,
): (done: number, total: number) => void {
  return (done, total) => onProgress?.({ phase, encoder, done, total });
}
