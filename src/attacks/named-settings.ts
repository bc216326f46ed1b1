import { attackKinds } from "./registry.ts";
import type { Range, Setting } from "./settings.ts";

/** A setting that may be given beside an attack's name. */
export interface NamedSetting {
  readonly name: string;
  /** With the choices of all kinds of attack. */
  readonly range: Range;
  readonly about: string;
  /** The attacks that have it, kind by kind. */
  readonly owners: readonly SettingOwner[];
  /** Whether attacks of every kind have it, those without a norm aside. */
  readonly common: boolean;
}

interface SettingOwner {
  /** The kind, where all of its names take the setting; else those that do. */
  readonly names: readonly string[];
  /** The default in words. */
  readonly usual: string;
  /** The choices that may be given; empty for numbers. */
  readonly offered: readonly string[];
}

/** The norm, then the others in the order in which the registry's attacks first name them. */
export const namedSettings: readonly NamedSetting[] = [
  ...new Set(["norm", ...attackKinds.flatMap(({ settings }) => Object.keys(settings))]),
].flatMap((name) => {
  const having = attackKinds.flatMap(({ kind, variants, settings }): readonly Owner[] => {
    const setting = settings[name];
    const taking = Object.keys(variants).filter((variant) => variants[variant]!.takes.includes(name));
    if (!setting || taking.length === 0) return [];
    return [{ setting, names: taking.length === Object.keys(variants).length ? [kind] : taking }];
  });
  const [first] = having;
  if (!first) return [];
  const owners = having.map(({ names, setting }) => ({ names, usual: setting.usual, offered: offeredBy(setting) }));
  const { range, about } = first.setting;
  const offered = [...new Set(owners.flatMap((owner) => owner.offered))];
  const bounded = attackKinds.filter(({ settings }) => "norm" in settings);
  return [
    {
      ...{ name, about, owners, common: owners.length >= bounded.length },
      range: range.kind === "choice" ? { ...range, offered } : range,
    },
  ];
});

interface Owner {
  readonly names: readonly string[];
  readonly setting: Setting<unknown>;
}

function offeredBy({ range }: Setting<unknown>): readonly string[] {
  return range.kind === "choice" ? range.offered : [];
}
