import { type Attack, type AutoAttack, attackName } from "../attacks/index.ts";
import { formatEpsilon } from "../epsilon.ts";

/** An attack's settings in words, those of a list one after the other; without its epsilon. */
export function describeAttack(what: Attack | AutoAttack): string {
  return what.kind === "autoattack" ? what.attacks.map(describeAttack).join("; ") : describeOne(what);
}

function describeOne(attack: Attack): string {
  const parts = [
    attack.kind === "noise" ? attackName(attack) : `${attackName(attack)} ${attack.norm}`,
    ...lengthOf(attack),
    ...(attack.restarts > 1 ? [`${attack.restarts} runs`] : []),
  ];
  return parts.join(", ");
}

function lengthOf(attack: Attack): readonly string[] {
  switch (attack.kind) {
    case "pgd": {
      const { steps, stepSize, epsilon, momentum } = attack;
      const size = stepSize === epsilon / 4 ? "epsilon / 4" : formatEpsilon(stepSize);
      return [`${steps} steps of ${size}`, ...(momentum > 0 ? [`momentum ${momentum}`] : [])];
    }
    case "apgd":
      return [
        `${attack.steps} steps`,
        ...(attack.loss === "targeted-dlr" ? [`${attack.targets} targets`] : []),
        ...(attack.eot > 1 ? [`mean of ${attack.eot} evaluations`] : []),
      ];
    case "fab":
      return [`${attack.steps} steps`, ...(attack.targeted ? [`${attack.targets} targets`] : [])];
    case "square":
      return [`${attack.queries} queries`];
    case "noise":
      return [];
  }
}
