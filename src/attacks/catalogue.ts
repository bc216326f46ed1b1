import { UsageError } from "../errors.ts";
import { apgd } from "./apgd.ts";
import { type Attack, attackName } from "./attack.ts";
import { type AutoAttack, attackList, autoAttack } from "./autoattack.ts";
import { fab } from "./fab.ts";
import { type Noise, noise } from "./noise.ts";
import { pgd } from "./pgd.ts";
import { square } from "./square.ts";
import type { ClassLoss, EmbeddingLoss } from "./target.ts";
import type { Norm } from "./threat.ts";

/** Attacks by name with what is said of them; the rest is each attack's own default. */
export interface AttackWish extends AttackSettings {
  /** One name, or several, which are one list of attacks. */
  readonly attack: readonly AttackName[];
}

export interface AttackSettings {
  /** One attack each. Default 2/255. */
  readonly epsilon?: readonly number[];
  readonly norm?: Norm;
  readonly attackLoss?: Extract<ClassLoss, "ce" | "dlr"> | EmbeddingLoss;
  readonly steps?: number;
  readonly stepSize?: number;
  readonly momentum?: number;
  readonly restarts?: number;
  readonly targets?: number;
  readonly queries?: number;
  readonly eot?: number;
}

/** The settings of one attack at one epsilon. */
type Given = Omit<AttackSettings, "epsilon" | "attackLoss"> & {
  readonly epsilon: number;
  readonly loss?: NonNullable<AttackSettings["attackLoss"]>;
};

interface Kind<Made extends Attack | AutoAttack = Attack | AutoAttack> {
  /** Settings that it has; it is given no others. */
  readonly takes: readonly (keyof AttackSettings)[];
  readonly make: (given: Given) => Made;
}

const ball = ["epsilon", "norm"] as const;
const search = [...ball, "steps", "restarts"] as const;

/** Attacks that may stand in a list. */
const single = {
  pgd: {
    takes: [...search, "attackLoss", "stepSize", "momentum"],
    make: ({ norm, ...given }) => pgd({ ...given, norm: dense("pgd", norm) }),
  },
  apgd: { takes: [...search, "attackLoss", "eot"], make: apgd },
  "apgd-ce": { takes: [...search, "eot"], make: apgd },
  "apgd-dlr": { takes: [...search, "eot"], make: (given) => apgd({ ...given, loss: "dlr" }) },
  "apgd-t": { takes: [...search, "targets", "eot"], make: (given) => apgd({ ...given, loss: "targeted-dlr" }) },
  fab: { takes: search, make: ({ norm, ...given }) => fab({ ...given, norm: dense("fab", norm), targeted: false }) },
  "fab-t": {
    takes: [...search, "targets"],
    make: ({ norm, ...given }) => fab({ ...given, norm: dense("fab-t", norm) }),
  },
  square: {
    takes: [...ball, "queries", "restarts"],
    make: ({ norm, ...given }) => square({ ...given, norm: dense("square", norm) }),
  },
} as const satisfies Readonly<Record<string, Kind<Exclude<Attack, Noise>>>>;

/** Lists with settings of their own. */
const presets = {
  autoattack: { takes: ball, make: autoAttack },
  standard: { takes: ball, make: autoAttack },
  "autoattack-plus": { takes: ball, make: (given) => autoAttack({ ...given, version: "plus" }) },
  "autoattack-rand": { takes: ball, make: (given) => autoAttack({ ...given, version: "rand" }) },
  lore: { takes: ball, make: (given) => autoAttack({ ...given, version: "lore" }) },
} as const satisfies Readonly<Record<string, Kind>>;

const baselines = {
  "uniform-noise": { takes: ["epsilon", "restarts"], make: noise },
  "gaussian-noise": { takes: ["epsilon", "restarts"], make: (given) => noise({ ...given, distribution: "gaussian" }) },
} as const satisfies Readonly<Record<string, Kind>>;

const kinds: Readonly<Record<Exclude<AttackName, "none">, Kind>> = { ...single, ...presets, ...baselines };

export type AttackName = "none" | keyof typeof single | keyof typeof presets | keyof typeof baselines;

export const attackNames = ["none", ...Object.keys(kinds)] as readonly AttackName[];

export function isAttackName(name: string): name is AttackName {
  return attackNames.some((known) => known === name);
}

/**
 * The attacks that are asked for, one an epsilon; several names are one list of attacks.
 *
 * @param write how a setting is called where it was set, for messages
 * @throws UsageError when a setting is none of the attack's, or attacks do not go together
 */
export function attacksNamed(
  wish: AttackWish,
  write: (setting: "attack" | keyof AttackSettings) => string,
): readonly (Attack | AutoAttack)[] {
  const { attack: names } = wish;
  const given = settingNames.filter((name) => wish[name] !== undefined);
  const misplaced = given.find((name) => names.every((attack) => !takes(attack, name)));
  if (misplaced) throw new UsageError(refusal(misplaced, names, write));
  const { epsilon: sizes = [2 / 255] } = wish;
  const [first, ...others] = names;
  if (others.length > 0) return sizes.map((size) => listOf(names, wish, size, write("attack")));
  if (first === undefined || first === "none") return [];
  return sizes.map((size) => kinds[first].make(settingsOf(first, wish, size)));
}

export const settingNames = [
  ...["epsilon", "norm", "attackLoss", "steps", "stepSize", "momentum", "restarts", "targets", "queries", "eot"],
] as readonly (keyof AttackSettings)[];

function takes(attack: AttackName, setting: keyof AttackSettings): boolean {
  return attack !== "none" && kinds[attack].takes.includes(setting);
}

function settingsOf(attack: AttackName, wish: AttackSettings, epsilon: number): Given {
  const own = settingNames.filter((name) => name !== "epsilon" && wish[name] !== undefined && takes(attack, name));
  const settings = own.map((name) => [name === "attackLoss" ? "loss" : name, wish[name]] as const);
  return { ...Object.fromEntries(settings), epsilon };
}

function listOf(names: readonly AttackName[], wish: AttackSettings, epsilon: number, attack: string): AutoAttack {
  const alone = names.filter((name) => !isSingle(name));
  if (alone.length > 0)
    throw new UsageError(`${attack} ${names.join()}: ${alone.join(" and ")} cannot stand in a list, only alone.`);
  const attacks = names.filter(isSingle).map((name) => single[name].make(settingsOf(name, wish, epsilon)));
  const twice = attacks.map(attackName).find((name, i, all) => all.indexOf(name) < i);
  if (twice)
    throw new UsageError(`${attack} ${names.join()}: ${twice} is in the list twice; give it restarts instead.`);
  return attackList(attacks);
}

function isSingle(name: AttackName): name is keyof typeof single {
  return name in single;
}

function dense(attack: string, norm: Norm = "linf"): Exclude<Norm, "l1"> {
  if (norm === "l1")
    throw new UsageError(`norm l1 does not go with ${attack}, made for linf and l2; use apgd, apgd-t or autoattack.`);
  return norm;
}

function refusal(
  setting: keyof AttackSettings,
  attacks: readonly AttackName[],
  write: Parameters<typeof attacksNamed>[1],
): string {
  const said = write(setting);
  if (attacks.every((name) => name === "none")) return `${said} needs an attack: give one with ${write("attack")}.`;
  const own = settingNames.filter((name) => attacks.some((attack) => takes(attack, name))).map(write);
  const hint = attacks.every((name) => name in presets)
    ? ` To choose the settings of its attacks, list them: ${write("attack")} apgd-ce,apgd-t.`
    : "";
  return `${said} does not go with ${write("attack")} ${attacks.join()}, which takes ${own.join(", ")}.${hint}`;
}
