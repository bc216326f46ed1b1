import type { Norm } from "../attacks/index.ts";
import type { Picture } from "./finding.ts";

/** One attack of several that ran one after the other. */
export interface Stage {
  /** `apgd-ce`, `square` ... */
  readonly attack: string;
  /** Share of all images, from 0 to 1, that withstood this attack and those before it. */
  readonly accuracy: number;
  readonly seconds: number;
}

export interface AttackResult {
  /** `pgd`, `apgd-ce`, `autoattack`, `lore` ... */
  readonly attack: string;
  /** "none" for Gaussian noise, which has no ball. */
  readonly norm: Norm | "none";
  readonly epsilon: number;
  /** Share of all images, from 0 to 1, that are classified correctly clean and under the attack. */
  readonly accuracy: number;
  /** Duration within this call; results of earlier calls took none. */
  readonly seconds: number;
  /** Accuracy after each attack, where several ran one after the other. */
  readonly stages?: readonly Stage[];
}

/** One accuracy beside another encoder's on the same images. */
export interface PairedDifference {
  /** This encoder's accuracy less the other's, from -1 to 1. */
  readonly difference: number;
  /** Images that only this encoder classifies correctly, and images that only the other does. */
  readonly gained: number;
  readonly lost: number;
  /** McNemar's p-value: probability of a split at least this uneven by chance alone. */
  readonly p: number;
}

/** An encoder beside another on the same images, clean and under the same attacks. */
export interface PairedEvaluation {
  readonly with: string;
  readonly clean: PairedDifference;
  /** In the attacks' order. */
  readonly attacks: readonly PairedDifference[];
}

export interface Evaluation {
  readonly encoder: string;
  readonly dataset: string;
  readonly images: number;
  /** Images that could not be read. */
  readonly skipped: number;
  readonly classes: number;
  /** Share of correctly classified images, from 0 to 1. */
  readonly clean: number;
  readonly attacks: readonly AttackResult[];
  /** Comparison with another encoder on the same images. */
  readonly paired?: PairedEvaluation;
  /** Reasons not to trust these numbers. */
  readonly warnings: readonly string[];
}

/** An image before and after an attack, and an encoder's predictions for both. */
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
  /** Factor by which the drawn difference is amplified; absent in measurements of earlier versions. */
  readonly amplification?: number;
}

export interface Evaluations {
  readonly evaluations: readonly Evaluation[];
  /** Settings of the attacks, in words. */
  readonly settings: readonly string[];
  readonly examples: readonly PicturedExample[];
}
