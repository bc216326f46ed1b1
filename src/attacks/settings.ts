import { UsageError } from "../errors.ts";

/** The values that a setting takes. */
export type Range =
  | { readonly kind: "count" }
  /** In pixel units, from 0. */
  | { readonly kind: "size" }
  | { readonly kind: "number" }
  | {
      readonly kind: "choice";
      readonly choices: readonly unknown[];
      /** Those of the choices that may be given by name; a name of the attack's own stands for each of the others. */
      readonly offered: readonly string[];
    };

/** One setting of an attack: its range, its default, and a phrase about it for help texts. */
export interface Setting<T> {
  readonly range: Range;
  /** A value, or a function of epsilon where `usual` says which. */
  readonly default: T | ((epsilon: number) => T);
  readonly usual: string;
  readonly about: string;
  /** Which attacks have the setting; all of the kind where it is left out. */
  readonly only?: { readonly where: (given: Given) => boolean; readonly words: string };
}

/** Settings from outside, not yet checked. */
export type Given = Readonly<Record<string, unknown>>;

export type SettingTable = Readonly<Record<string, Setting<unknown>>>;

type Keys<A> = A extends unknown ? keyof A : never;
type ValueOf<A, K extends PropertyKey> = A extends unknown ? (K extends keyof A ? A[K] : never) : never;

/** A setting for each property of an attack (of any member, where it is a union) besides its kind and epsilon. */
export type SettingsOf<A> = { readonly [K in SettingName<A>]: Setting<ValueOf<A, K>> };

export type SettingName<A> = Exclude<Keys<A>, "kind" | "epsilon">;

export function count(usual: number, about: string): Setting<number> {
  return { range: { kind: "count" }, default: usual, usual: `${usual}`, about };
}

/** @param usual the default as a function of epsilon, and in words */
export function size(usual: (epsilon: number) => number, words: string, about: string): Setting<number> {
  return { range: { kind: "size" }, default: usual, usual: words, about };
}

export function decay(usual: number, about: string): Setting<number> {
  return { range: { kind: "number" }, default: usual, usual: `${usual}`, about };
}

/**
 * One of several values; the first is the default.
 *
 * @param implied choices that only a name of the attack stands for
 */
export function choice<const T extends string | boolean>(
  choices: readonly [T, ...T[]],
  about: string,
  implied: readonly T[] = [],
): Setting<T> {
  const [usual] = choices;
  const offered = choices.filter((choice) => !implied.includes(choice)).map(String);
  return { range: { kind: "choice", choices, offered }, default: usual, usual: String(usual), about };
}

/**
 * All settings of a table in its order, with defaults filled in. Ranges are not checked.
 *
 * @param title the attack's name, for messages
 * @throws UsageError when the attack has no such setting
 */
export function completed(title: string, settings: SettingTable, epsilon: number, given: Given): Given {
  const complete: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const { [name]: value } = given;
    if (setting.only && !setting.only.where({ ...complete, ...given })) {
      if (value === undefined) continue;
      throw new UsageError(`${title}: ${name} is for ${setting.only.words} only; leave it out.`);
    }
    complete[name] = value ?? (typeof setting.default === "function" ? setting.default(epsilon) : setting.default);
  }
  const unknown = Object.keys(given).find((name) => given[name] !== undefined && !(name in settings));
  if (unknown !== undefined)
    throw new UsageError(`${title} has no setting ${unknown}; it has ${Object.keys(settings).join(", ")}.`);
  return complete;
}

/** @throws UsageError when a value is out of its range */
export function checkRanges(title: string, settings: SettingTable, complete: Given): void {
  for (const [name, value] of Object.entries(complete)) checkRange(title, name, settings[name]!.range, value);
}

function checkRange(title: string, name: string, range: Range, value: unknown): void {
  switch (range.kind) {
    case "count":
      checkPositiveCount(title, name, value);
      return;
    case "size":
    case "number":
      checkFromZero(title, name, value);
      return;
    case "choice":
      if (!range.choices.includes(value))
        throw new UsageError(`${title}: ${name} must be one of ${range.choices.join(", ")}, got ${String(value)}.`);
  }
}

/** @throws UsageError when `value` is not a whole number from 1 */
export function checkPositiveCount(title: string, name: string, value: unknown): void {
  if (!(Number.isInteger(value) && Number(value) >= 1))
    throw new UsageError(`${title}: ${name} must be a positive integer, got ${String(value)}.`);
}

/** @throws UsageError when `value` is not a finite number from 0 */
export function checkFromZero(title: string, name: string, value: unknown): void {
  if (!(typeof value === "number" && value >= 0 && value < Infinity))
    throw new UsageError(`${title}: ${name} must be a number from 0, got ${String(value)}.`);
}
