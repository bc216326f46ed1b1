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
  /** Share of all images, from 0 to 1, that are classified rightly clean and under the attack. */
  readonly accuracy: number;
  /** Of this call; what an earlier one had measured took none. */
  readonly seconds: number;
  /** Where several attacks ran one after the other: what each left. */
  readonly stages?: readonly Stage[];
}

/** One accuracy beside another encoder's on the same images. */
export interface PairedDifference {
  /** This encoder's accuracy less the other's, from -1 to 1. */
  readonly difference: number;
  /** Images that this encoder alone is right on, and those that the other alone is. */
  readonly gained: number;
  readonly lost: number;
  /** McNemar's: how probable chance alone makes so uneven a split. */
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
  /** Share of images classified rightly, from 0 to 1. */
  readonly clean: number;
  readonly attacks: readonly AttackResult[];
  /** Beside another encoder on the same images. */
  readonly paired?: PairedEvaluation;
  /** What speaks against trusting these numbers. */
  readonly warnings: readonly string[];
}

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
  /** How many times larger the difference is drawn than it is; absent in measurements of earlier versions. */
  readonly amplification?: number;
}

export interface Evaluations {
  readonly evaluations: readonly Evaluation[];
  /** How the attacks were made, in words. */
  readonly settings: readonly string[];
  readonly examples: readonly PicturedExample[];
}
