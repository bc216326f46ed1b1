import { mcnemar } from "../../statistics.ts";
import type { Outcomes } from "./evaluate.ts";

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

/**
 * @param other the encoder that is compared with
 * @param images that both were measured on
 */
export function paired(other: string, theirs: Outcomes, ours: Outcomes, images: number): PairedEvaluation {
  return {
    with: other,
    clean: differenceOf(theirs.clean, ours.clean, images),
    attacks: ours.attacks.map((own, i) => differenceOf(theirs.attacks[i]!, own, images)),
  };
}

function differenceOf(theirs: ReadonlySet<number>, ours: ReadonlySet<number>, images: number): PairedDifference {
  const gained = [...ours].filter((image) => !theirs.has(image)).length;
  const lost = [...theirs].filter((image) => !ours.has(image)).length;
  return { difference: (gained - lost) / images, gained, lost, p: mcnemar(gained, lost) };
}
