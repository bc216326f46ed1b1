import type { PairedDifference, PairedEvaluation } from "../../results/index.ts";
import { mcnemar } from "../../statistics.ts";
import type { Outcomes } from "./evaluate.ts";

/**
 * @param other name of the encoder to compare with
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
