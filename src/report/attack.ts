import { type Attack, type AutoAttack, attacksIn, classesNeeded, describeSettings } from "../attacks/index.ts";

/**
 * An attack's settings in words, those of a list one after the other; without its epsilon.
 *
 * @param classes among which images were classified: attacks that need more were not run, and none aims at more
 */
export function describeAttack(measured: Attack | AutoAttack, classes = Infinity): string {
  return attacksIn(measured)
    .filter((attack) => classesNeeded(attack) <= classes)
    .map((attack) => describeSettings(attack, classes))
    .join("; ");
}
