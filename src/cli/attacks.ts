import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type Attack,
  type AttackName,
  type AttackWish,
  type AutoAttack,
  attackNames,
  attacksNamed,
  isAttackName,
} from "../attacks/index.ts";
import { parseCount, parseNumber, parseSize, parseSizes } from "./options.ts";

/** What `lore evaluate` was told of its attacks; the rest is each attack's own default. */
export interface AttackFlags extends AttackWish {}

export function withAttackFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--attack <names>", `${attackNames.join(", ")}; or several, comma-separated: the worst counts`)
        .argParser(parseAttacks)
        .default(["none"], "none"),
    )
    .addOption(
      new Option(
        "--attack-loss <loss>",
        "pgd, apgd: the loss, or the distance to the clean embedding (default: ce)",
      ).choices(["ce", "dlr", "embedding-l2", "embedding-cosine"]),
    )
    .addOption(
      new Option("--norm <norm>", "the perturbation's norm; l1 for apgd and AutoAttack (default: linf)").choices([
        "linf",
        "l2",
        "l1",
      ]),
    )
    .option("--epsilon <list>", "sizes of the perturbation, comma-separated (default: 2/255)", parseSizes)
    .option("--steps <n>", "steps a run (default: pgd 20, apgd and fab 100)", parseCount)
    .option("--step-size <size>", "pgd: step size (default: epsilon / 4)", parseSize)
    .option("--momentum <decay>", "pgd: decay of the velocity (default: 0)", parseNumber)
    .option("--restarts <n>", "runs an image, the worst counts (default: 1)", parseCount)
    .option(
      "--targets <n>",
      "apgd-t, fab-t: classes aimed at, the likeliest first (default: 9, or all others where there are fewer)",
      parseCount,
    )
    .option("--queries <n>", "square: points looked at a run (default: 5000)", parseCount)
    .option(
      "--eot <n>",
      "apgd: evaluations of a point that are averaged, for random encoders (default: 1)",
      parseCount,
    );
}

function parseAttacks(text: string): readonly AttackName[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !isAttackName(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no attack "${unknown}"; there are ${attackNames.join(", ")}.`);
  return names.filter(isAttackName);
}

/**
 * The attacks that the flags ask for, one an epsilon; several names are one list of attacks.
 *
 * @throws UsageError when a setting is none of the attack's, or attacks do not go together
 */
export function attacksOf(flags: AttackFlags): readonly (Attack | AutoAttack)[] {
  return attacksNamed(flags, flagOf);
}

function flagOf(setting: string): string {
  return `--${setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
