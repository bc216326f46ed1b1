import { InvalidArgumentError } from "commander";
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
import { type Declared, type Flags, flagOf, option } from "./option.ts";
import { oneOf, parseCount, parseNumber, parseSize, parseSizes } from "./parsers.ts";

/** Settings of attacks, from the registry. Flags hold them by name, so they have no types of their own. */
const settingOptions: Readonly<Record<never, Declared<unknown>>> = Object.fromEntries(
  namedSettings.map((setting) => [fieldOf(setting.name), optionOf(setting)]),
);

/** Attack options of `lore evaluate`. Settings that are not given have each attack's own default. */
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
  ...settingOptions,
};

export type AttackFlags = Flags<typeof attackOptions>;

function parseAttacks(text: string): readonly AttackName[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !isAttackName(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no attack "${unknown}"; there are ${attackNames.join(", ")}.`);
  return names.filter(isAttackName);
}

function optionOf(setting: NamedSetting): Declared<unknown> {
  const { name, range } = setting;
  const flags = (value: string): string => `${flagOf(fieldOf(name))} <${value}>`;
  const meaning = { help: describe(setting), topic: "attack" } as const;
  switch (range.kind) {
    case "count":
      return option(flags("n"), parseCount, meaning);
    case "size":
      return option(flags("size"), parseSize, meaning);
    case "number":
      return option(flags("number"), parseNumber, meaning);
    case "choice":
      return option(flags(name), oneOf(range.offered), meaning);
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
 * The attacks selected by the flags, one per epsilon. Several names form one list of attacks.
 *
 * @throws UsageError when an attack does not have a setting, or attacks do not go together
 */
export function attacksOf(flags: AttackFlags): readonly (Attack | AutoAttack)[] {
  const values = new Map(Object.entries(flags));
  const settings = namedSettings.map(({ name }) => [name, values.get(fieldOf(name))] as const);
  const wish = { names: flags.attack, epsilons: flags.epsilon, settings: Object.fromEntries(settings) };
  return attacksNamed(wish, (name) => flagOf(fieldOf(name)));
}

/** Name of a setting among the flags: the loss is `attackLoss`. */
function fieldOf(setting: string): string {
  return setting === "loss" ? "attackLoss" : setting;
}
