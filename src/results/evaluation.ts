import type { Evaluation } from "../measure/accuracy/index.ts";
import type { Picture } from "./finding.ts";

/** An image before and after an attack, and what an encoder takes both for. */
export interface PicturedExample {
  readonly encoder: string;
  /** The image's name in its source. */
  readonly image: string;
  /** "pgd 2/255" ... */
  readonly attack: string;
  /** Names of classes. */
  readonly label: string;
  readonly predictedClean: string;
  readonly predictedPerturbed: string;
  /** Side by side: the image, the perturbed image, and their difference, the largest change black or white. */
  readonly picture: Picture;
}

export interface Evaluations {
  readonly evaluations: readonly Evaluation[];
  /** How the attacks were made, in words. */
  readonly settings: readonly string[];
  readonly examples: readonly PicturedExample[];
}
