import { type Attack, type AutoAttack, attackName, classesNeeded, targetCount } from "../attacks/index.ts";
import { formatEpsilon } from "../epsilon.ts";
import { counted } from "../words.ts";

/**
 * An attack's settings in words, those of a list one after the other; without its epsilon.
 *
 * @param classes among which images were classified: attacks that need more were not run, and none aims at more
 */
export function describeAttack(what: Attack | AutoAttack, classes = Infinity): string {
  const attacks = what.kind === "autoattack" ? what.attacks : [what];
  return attacks
    .filter((attack) => classesNeeded(attack) <= classes)
    .map((attack) => describeOne(attack, classes))
    .join("; ");
}

function describeOne(attack: Attack, classes: number): string {
  const parts = [
    attack.kind === "noise" ? attackName(attack) : `${attackName(attack)} ${attack.norm}`,
    ...lengthOf(attack, classes),
    ...(attack.restarts > 1 ? [`${attack.restarts} runs`] : []),
  ];
  return parts.join(", ");
}

function lengthOf(attack: Attack, classes: number): readonly string[] {
  const targets = counted(targetCount(attack, classes), "target");
  switch (attack.kind) {
    case "pgd": {
      const { steps, stepSize, epsilon, momentum } = attack;
      const size = stepSize === epsilon / 4 ? "epsilon / 4" : formatEpsilon(stepSize);
      return [`${steps} steps of ${size}`, ...(momentum > 0 ? [`momentum ${momentum}`] : [])];
    }
    case "apgd":
      return [
        `${attack.steps} steps`,
        ...(attack.loss === "targeted-dlr" ? [targets] : []),
        ...(attack.eot > 1 ? [`mean of ${attack.eot} evaluations`] : []),
      ];
    case "fab":
      return [`${attack.steps} steps`, ...(attack.targeted ? [targets] : [])];
    case "square":
      return [`${attack.queries} queries`];
    case "noise":
      return [];
  }
}
