import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type Attack,
  type AttackName,
  type AutoAttack,
  attackNames,
  attacksNamed,
  isAttackName,
  type NamedSetting,
  namedSettings,
} from "../attacks/index.ts";
import { parseCount, parseNumber, parseSize, parseSizes } from "./options.ts";

/** Flags that choose attacks. Their settings are flags, too, read by the names in `namedSettings`. */
export interface AttackFlags {
  readonly attack: readonly AttackName[];
  readonly epsilon?: readonly number[];
}

export function withAttackFlags(command: Command): Command {
  command
    .addOption(
      new Option("--attack <names>", `${attackNames.join(", ")}; or several, comma-separated: the worst counts`)
        .argParser(parseAttacks)
        .default(["none"], "none"),
    )
    .option("--epsilon <list>", "sizes of the perturbation, comma-separated (default: 2/255)", parseSizes);
  for (const setting of namedSettings) command.addOption(optionOf(setting));
  return command;
}

function parseAttacks(text: string): readonly AttackName[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !isAttackName(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no attack "${unknown}"; there are ${attackNames.join(", ")}.`);
  return names.filter(isAttackName);
}

function optionOf(setting: NamedSetting): Option {
  const { name, range } = setting;
  const option = (value: string): Option => new Option(`${flagOf(name)} <${value}>`, describe(setting));
  switch (range.kind) {
    case "count":
      return option("n").argParser(parseCount);
    case "size":
      return option("size").argParser(parseSize);
    case "number":
      return option("number").argParser(parseNumber);
    case "choice":
      return option(name).choices(range.offered);
  }
}

/** For example `pgd, apgd: the loss (default: ce)`, or `steps a run (default: pgd 20, apgd and fab 100)`. */
function describe({ name, about, owners, common, range }: NamedSetting): string {
  const defaults = [...new Set(owners.map(({ usual }) => usual))];
  const kinds = (of: typeof owners, and: string): string => of.flatMap(({ names }) => names).join(and);
  const usual = (value: string): string =>
    defaults.length === 1
      ? value
      : `${kinds(
          owners.filter((owner) => owner.usual === value),
          " and ",
        )} ${value}`;
  const named = defaults.length > 1 || common ? "" : `${kinds(owners, ", ")}: `;
  const rare = (range.kind === "choice" ? range.offered : []).flatMap((choice) => {
    const having = owners.filter(({ offered }) => offered.includes(choice));
    return having.length === owners.length
      ? []
      : [`; ${choice} for ${kinds(having, ", ")}${name === "norm" ? " and AutoAttack" : ""}`];
  });
  return `${named}${about}${rare.join("")} (default: ${defaults.map(usual).join(", ")})`;
}

/**
 * The attacks that the flags ask for, one an epsilon; several names are one list of attacks.
 *
 * @throws UsageError when an attack does not have a setting, or attacks do not go together
 */
export function attacksOf(flags: AttackFlags): readonly (Attack | AutoAttack)[] {
  const values = new Map(Object.entries(flags));
  const settings = namedSettings.map(({ name }) => [name, values.get(optionName(name))] as const);
  return attacksNamed({ names: flags.attack, epsilons: flags.epsilon, settings: Object.fromEntries(settings) }, flagOf);
}

/** The option's name in camel case. `--attack-loss` says whose loss it is. */
function optionName(setting: string): string {
  return setting === "loss" ? "attackLoss" : setting;
}

function flagOf(setting: string): string {
  return `--${optionName(setting).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
