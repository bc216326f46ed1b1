import { UsageError } from "../errors.ts";
import { type AutoAttack, attackList, autoAttack, type PresetName, presets } from "./autoattack.ts";
import { attackOf, type NamedKind } from "./descriptor.ts";
import { namedSettings } from "./named-settings.ts";
import {
  type Attack,
  attackKinds,
  attackName,
  type BallAttack,
  type EmbeddingAttack,
  isEmbeddingAttack,
  type SingleName,
} from "./registry.ts";
import type { Given } from "./settings.ts";
import { type EmbeddingLoss, isEmbeddingLoss } from "./target.ts";
import type { DenseNorm, Norm } from "./threat.ts";

export type AttackName = "none" | SingleName | PresetName;

/** Attacks by their names, with some of their settings. */
export interface AttackWish {
  /** One name, or several, which are one list of attacks. */
  readonly names: readonly AttackName[];
  /** One attack each. Default 2/255. */
  readonly epsilons?: readonly number[] | undefined;
  /** By the names in `namedSettings`; the others keep their defaults. */
  readonly settings?: Given;
}

/** How messages write `attack`, `epsilon` and the names of settings: as in the place where they were set. */
export type WriteName = (name: string) => string;

const singles: ReadonlyMap<string, NamedKind<Attack>> = new Map(
  attackKinds.flatMap((kind) =>
    Object.entries(kind.variants).map(([name, variant]) => [name, { ...kind, variant }] as const),
  ),
);

/** Names of attacks that are bounded by a norm. Only these may stand in a list. */
const listable = [...singles.keys()].filter((name) => takes(name, "norm"));
const unbounded = [...singles.keys()].filter((name) => !takes(name, "norm"));

export const attackNames: readonly string[] = ["none", ...listable, ...presets.keys(), ...unbounded];

export function isAttackName(name: string): name is AttackName {
  return attackNames.includes(name);
}

/** Names of attacks that have a loss of embeddings. */
export const embeddingAttackNames: readonly string[] = [...singles.keys()].filter((name) =>
  offeredBy(name, "loss")?.some(isEmbeddingLoss),
);

function takes(name: string, setting: string): boolean {
  if (name === "none") return false;
  if (setting === "epsilon") return true;
  return singles.get(name)?.variant.takes.includes(setting) ?? setting === "norm";
}

/**
 * The attacks that are asked for, one an epsilon; several names are one list of attacks.
 *
 * @throws UsageError when an attack does not have a setting, or attacks do not go together
 */
export function attacksNamed(wish: AttackWish, write: WriteName): readonly (Attack | AutoAttack)[] {
  const { names, epsilons, settings = {} } = wish;
  const given = [
    ...(epsilons ? ["epsilon"] : []),
    ...Object.keys(settings).filter((name) => settings[name] !== undefined),
  ];
  const misplaced = given.find((setting) => !names.some((name) => takes(name, setting)));
  if (misplaced) throw new UsageError(refusal(misplaced, names, write));
  const sizes = epsilons ?? [2 / 255];
  const [first, ...others] = names;
  if (others.length > 0) {
    checkList(names, write);
    return sizes.map((epsilon) => listOf(names, epsilon, settings, write));
  }
  if (first === undefined || first === "none") return [];
  const version = presets.get(first);
  if (version === undefined) return sizes.map((epsilon) => single(first, epsilon, settings, write));
  const { norm = "linf" } = settings as { readonly norm?: Norm };
  return sizes.map((epsilon) => autoAttack({ epsilon, norm, version }));
}

function single(name: string, epsilon: number, settings: Given, write: WriteName): Attack {
  const kind = singles.get(name)!;
  const own = Object.entries(settings).filter(([setting, value]) => value !== undefined && takes(name, setting));
  for (const [setting, value] of own) checkOffered(name, setting, value, write);
  return attackOf<Attack>(kind, { ...kind.variant.fixed, ...Object.fromEntries(own), epsilon });
}

/** @throws UsageError when other attacks have this choice, but not this one */
function checkOffered(name: string, setting: string, value: unknown, write: WriteName): void {
  const offered = offeredBy(name, setting);
  if (!offered || offered.includes(String(value))) return;
  const others = [...singles.keys()].filter((other) => offeredBy(other, setting)?.includes(String(value)));
  throw new UsageError(
    `${write(setting)} ${value} does not go with ${write("attack")} ${name}, made for ${offered.join(" and ")}; ` +
      `use ${[...others, ...(setting === "norm" ? ["autoattack"] : [])].join(" or ")}.`,
  );
}

function offeredBy(name: string, setting: string): readonly string[] | undefined {
  const range = takes(name, setting) ? singles.get(name)?.settings[setting]?.range : undefined;
  return range?.kind === "choice" ? range.offered : undefined;
}

function checkList(names: readonly AttackName[], write: WriteName): void {
  const alone = names.filter((name) => !listable.includes(name));
  if (alone.length > 0)
    throw new UsageError(
      `${write("attack")} ${names.join()}: ${alone.join(" and ")} cannot stand in a list, only alone.`,
    );
}

function listOf(names: readonly AttackName[], epsilon: number, settings: Given, write: WriteName): AutoAttack {
  // Attacks that take a norm have one.
  const attacks = names.map((name) => single(name, epsilon, settings, write) as BallAttack);
  const twice = attacks.map(attackName).find((name, i, all) => all.indexOf(name) < i);
  if (twice)
    throw new UsageError(
      `${write("attack")} ${names.join()}: ${twice} is in the list twice; give it restarts instead.`,
    );
  return attackList(attacks);
}

function refusal(setting: string, attacks: readonly AttackName[], write: WriteName): string {
  if (attacks.every((name) => name === "none"))
    return `${write(setting)} needs an attack: give one with ${write("attack")}.`;
  const known = ["epsilon", ...namedSettings.map(({ name }) => name)];
  const own = known.filter((name) => attacks.some((attack) => takes(attack, name))).map(write);
  const hint = attacks.every((name) => presets.has(name))
    ? ` To choose the settings of its attacks, list them: ${write("attack")} apgd-ce,apgd-t.`
    : "";
  return `${write(setting)} does not go with ${write("attack")} ${attacks.join()}, which takes ${own.join(", ")}.${hint}`;
}

interface EmbeddingAttackSettings {
  readonly epsilon: number;
  readonly loss: EmbeddingLoss;
  readonly norm?: DenseNorm | undefined;
  readonly steps?: number | undefined;
  readonly restarts?: number | undefined;
}

/**
 * An attack on embeddings by its name, one of `embeddingAttackNames`.
 *
 * @throws UsageError when the name is none of these, or a setting is out of its range
 */
export function embeddingAttackNamed(name: string, settings: EmbeddingAttackSettings): EmbeddingAttack {
  const kind = singles.get(name);
  const attack = kind && embeddingAttackNames.includes(name) && attackOf<Attack>(kind, settings);
  if (attack && isEmbeddingAttack(attack)) return attack;
  throw new UsageError(`${name} does not attack embeddings; use ${embeddingAttackNames.join(" or ")}.`);
}
