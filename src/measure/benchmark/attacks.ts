import {
  type Attack,
  type AttackName,
  type AutoAttack,
  attackNames,
  attacksNamed,
  isAttackName,
  type NamedSetting,
  namedSettings,
} from "../../attacks/index.ts";
import { readSize } from "../../epsilon.ts";
import { UsageError } from "../../errors.ts";
import { Fields } from "../../fields.ts";

/** Fields that say how images are attacked. */
export const attackFields = ["attack", "epsilons"];

const mappingFields = ["name", ...namedSettings.map(({ name }) => name)];

/**
 * The attacks of the fields `attack` (a name, a list of names that run one after the other, or a mapping with `name`
 * and settings) and `epsilons` (`[1/255, 2/255]`, pixel units).
 *
 * @throws UsageError when there is no such attack, or it does not take such a setting
 */
export function readAttacks(attack: Fields, epsilons: Fields): readonly (Attack | AutoAttack)[] {
  const sizes = readSizes(epsilons);
  const value = attack.value("attack");
  const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
  const fields = isMapping ? new Fields(value, `${attack.place}, attack`, mappingFields) : attack;
  const field = isMapping ? "name" : "attack";
  const names = readNames(fields, field);
  // Sizes that are given for all sets do not force an attack on those that want none.
  if (names.length === 0) return [];
  const wish = { names, epsilons: sizes, settings: isMapping ? readSettings(fields) : {} };
  return attack.reading("attack", () => {
    const attacks = attacksNamed(wish, (name) => (name === "epsilon" ? "epsilons" : name));
    if (attacks.some((made) => "norm" in made && made.norm === "linf" && made.epsilon >= 1))
      throw new UsageError("an epsilon of 1 is the whole range of a pixel: write 1/255 for one step of 256.");
    return attacks;
  });
}

function readNames(fields: Fields, field: string): readonly AttackName[] {
  const given = fields.texts(field) ?? [];
  const names = (typeof given === "string" ? given.split(",") : given).map((name) => name.trim());
  const unknown = names.find((name) => !isAttackName(name));
  if (unknown !== undefined)
    throw fields.problem(field, `there is no attack "${unknown}"; there are ${attackNames.join(", ")}.`);
  return names.filter(isAttackName).filter((name) => name !== "none");
}

function readSettings(fields: Fields): Readonly<Record<string, unknown>> {
  return Object.fromEntries(namedSettings.map((setting) => [setting.name, readSetting(fields, setting)]));
}

function readSetting(fields: Fields, { name, range }: NamedSetting): unknown {
  switch (range.kind) {
    case "count":
      return fields.whole(name, 1);
    case "size":
      return size(fields, name, fields.value(name));
    case "number":
      return fields.number(name);
    case "choice":
      return fields.oneOf(name, range.offered);
  }
}

function readSizes(fields: Fields): readonly number[] | undefined {
  const sizes = fields.list("epsilons")?.map((value) => size(fields, "epsilons", value)!);
  const twice = sizes?.find((size, i) => sizes.indexOf(size) < i);
  if (twice !== undefined) throw fields.problem("epsilons", `${twice} is there twice.`);
  return sizes;
}

function size(fields: Fields, name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const read = typeof value === "number" ? value : readSize(String(value));
  if (read >= 0 && read < Infinity) return read;
  throw fields.problem(name, `${JSON.stringify(value)} is no size in pixel units: write 2/255 or 0.0078.`);
}
