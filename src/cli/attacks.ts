import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type Attack,
  type AutoAttack,
  apgd,
  attackList,
  attackName,
  autoAttack,
  type ClassLoss,
  type EmbeddingLoss,
  fab,
  type Noise,
  type Norm,
  noise,
  pgd,
  square,
} from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { parseCount, parseNumber, parseSize, parseSizes } from "./options.ts";

/** What `lore evaluate` was told of its attacks; the rest is each attack's own default. */
export interface AttackFlags extends Settings {
  readonly attack: readonly AttackName[];
}

interface Settings {
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
type Given = Omit<Settings, "epsilon" | "attackLoss"> & {
  readonly epsilon: number;
  readonly loss?: NonNullable<Settings["attackLoss"]>;
};

interface Kind<Made extends Attack | AutoAttack = Attack | AutoAttack> {
  /** Settings that it has; it is given no others. */
  readonly takes: readonly (keyof Settings)[];
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

const attackNames = ["none", ...Object.keys(kinds)] as readonly AttackName[];

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
    .option("--targets <n>", "apgd-t, fab-t: classes aimed at, the likeliest first (default: 9)", parseCount)
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

function isAttackName(name: string): name is AttackName {
  return attackNames.some((known) => known === name);
}

/**
 * The attacks that the flags ask for, one an epsilon; several names are one list of attacks.
 *
 * @throws UsageError when a setting is none of the attack's, or attacks do not go together
 */
export function attacksOf(flags: AttackFlags): readonly (Attack | AutoAttack)[] {
  const { attack: names } = flags;
  const given = settingNames.filter((name) => flags[name] !== undefined);
  const misplaced = given.find((name) => names.every((attack) => !takes(attack, name)));
  if (misplaced) throw new UsageError(refusal(misplaced, names));
  const { epsilon: sizes = [2 / 255] } = flags;
  const [first, ...others] = names;
  if (others.length > 0) return sizes.map((size) => listOf(names, flags, size));
  if (first === undefined || first === "none") return [];
  return sizes.map((size) => kinds[first].make(settingsOf(first, flags, size)));
}

const settingNames = [
  ...["epsilon", "norm", "attackLoss", "steps", "stepSize", "momentum", "restarts", "targets", "queries", "eot"],
] as readonly (keyof Settings)[];

function takes(attack: AttackName, setting: keyof Settings): boolean {
  return attack !== "none" && kinds[attack].takes.includes(setting);
}

function settingsOf(attack: AttackName, flags: Settings, epsilon: number): Given {
  const own = settingNames.filter((name) => name !== "epsilon" && flags[name] !== undefined && takes(attack, name));
  const settings = own.map((name) => [name === "attackLoss" ? "loss" : name, flags[name]] as const);
  return { ...Object.fromEntries(settings), epsilon };
}

function listOf(names: readonly AttackName[], flags: Settings, epsilon: number): AutoAttack {
  const alone = names.filter((name) => !isSingle(name));
  if (alone.length > 0)
    throw new UsageError(`--attack ${names.join()}: ${alone.join(" and ")} cannot stand in a list, only alone.`);
  const attacks = names.filter(isSingle).map((name) => single[name].make(settingsOf(name, flags, epsilon)));
  const twice = attacks.map(attackName).find((name, i, all) => all.indexOf(name) < i);
  if (twice) throw new UsageError(`--attack ${names.join()}: ${twice} is in the list twice; give --restarts instead.`);
  return attackList(attacks);
}

function isSingle(name: AttackName): name is keyof typeof single {
  return name in single;
}

function dense(attack: string, norm: Norm = "linf"): Exclude<Norm, "l1"> {
  if (norm === "l1")
    throw new UsageError(`--norm l1 does not go with ${attack}, made for linf and l2; use apgd, apgd-t or autoattack.`);
  return norm;
}

function refusal(setting: keyof Settings, attacks: readonly AttackName[]): string {
  const flag = flagOf(setting);
  if (attacks.every((name) => name === "none")) return `${flag} needs an attack: give one with --attack.`;
  const own = settingNames.filter((name) => attacks.some((attack) => takes(attack, name))).map(flagOf);
  const hint = attacks.every((name) => name in presets)
    ? " To choose the settings of its attacks, list them: --attack apgd-ce,apgd-t."
    : "";
  return `${flag} does not go with --attack ${attacks.join()}, which takes ${own.join(", ")}.${hint}`;
}

function flagOf(setting: string): string {
  return `--${setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
