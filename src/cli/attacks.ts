import { InvalidArgumentError } from "commander";
import {
  type Attack,
  type AttackName,
  type AttackWish,
  type AutoAttack,
  attackNames,
  attacksNamed,
  isAttackName,
} from "../attacks/index.ts";
import { flagOf, option } from "./option.ts";
import { oneOf, parseCount, parseNumber, parseSize, parseSizes } from "./parsers.ts";

/** The attacks of `lore evaluate`; what is not given is each attack's own default. */
export const attackOptions = {
  attack: option("--attack <names>", parseAttacks, {
    help: `${attackNames.join(", ")}; or several, comma-separated: the worst counts`,
    topic: "attack",
    default: "none",
  }),
  epsilon: option("--epsilon <list>", parseSizes, {
    help: "sizes of the perturbation, comma-separated (default: 2/255)",
    topic: "attack",
  }),
  attackLoss: option("--attack-loss <loss>", oneOf(["ce", "dlr", "embedding-l2", "embedding-cosine"]), {
    help: "pgd, apgd: the loss, or the distance to the clean embedding (default: ce)",
    topic: "attack",
  }),
  norm: option("--norm <norm>", oneOf(["linf", "l2", "l1"]), {
    help: "the perturbation's norm; l1 for apgd and AutoAttack (default: linf)",
    topic: "attack",
  }),
  steps: option("--steps <n>", parseCount, {
    help: "steps per run (default: pgd 20, apgd and fab 100)",
    topic: "attack",
  }),
  stepSize: option("--step-size <size>", parseSize, { help: "pgd: step size (default: epsilon / 4)", topic: "attack" }),
  momentum: option("--momentum <decay>", parseNumber, {
    help: "pgd: decay of the velocity (default: 0)",
    topic: "attack",
  }),
  restarts: option("--restarts <n>", parseCount, {
    help: "runs per image, the worst counts (default: 1)",
    topic: "attack",
  }),
  targets: option("--targets <n>", parseCount, {
    help: "apgd-t, fab-t: classes aimed at, the likeliest first (default: 9, or all others where there are fewer)",
    topic: "attack",
  }),
  queries: option("--queries <n>", parseCount, {
    help: "square: points tried per run (default: 5000)",
    topic: "attack",
  }),
  eot: option("--eot <n>", parseCount, {
    help: "apgd: evaluations of a point that are averaged, for random encoders (default: 1)",
    topic: "attack",
  }),
};

function parseAttacks(text: string): readonly AttackName[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !isAttackName(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no attack "${unknown}"; there are ${attackNames.join(", ")}.`);
  return names.filter(isAttackName);
}

/**
 * The attacks that the flags ask for, one per epsilon; several names are one list of attacks.
 *
 * @throws UsageError when a setting is none of the attack's, or attacks do not go together
 */
export function attacksOf(flags: AttackWish): readonly (Attack | AutoAttack)[] {
  return attacksNamed(flags, flagOf);
}
