import type { Norm } from "../attacks/index.ts";
import { formatEpsilon } from "../epsilon.ts";
import type { AttackResult } from "../results/index.ts";

/** Written as the field does where that is not the command line's name in capitals. */
const names: Readonly<Record<string, string>> = {
  autoattack: "AutoAttack",
  standard: "AutoAttack (standard)",
  "autoattack-plus": "AutoAttack (plus)",
  "autoattack-rand": "AutoAttack (rand)",
  lore: "APGD-CE and APGD-T",
  square: "Square",
  "uniform-noise": "uniform noise",
  "gaussian-noise": "Gaussian noise",
};

/** The strongest first; attacks that are not here are the weakest. */
const ranks: readonly RegExp[] = [
  /^(standard|autoattack)/,
  /^lore$|apgd.*(apgd|square|fab)/,
  /^apgd/,
  /^fab/,
  /^pgd/,
  /^square/,
];

/** Smaller is stronger. */
export function attackRank(attack: string): number {
  const rank = ranks.findIndex((pattern) => pattern.test(attack));
  return rank < 0 ? ranks.length : rank;
}

export function isNoise(attack: string): boolean {
  return attack.endsWith("-noise");
}

/** "PGD-20" ...: an attack and its steps, where the settings tell them. */
export function attackWords(attack: string, settings: readonly string[]): string {
  if (names[attack] !== undefined) return names[attack];
  return attack
    .split(/[,+]\s*/)
    .map((name) => {
      const said = settings.flatMap((setting) => setting.split("; ")).find((setting) => setting.startsWith(`${name} `));
      const steps = /, (\d+) steps/.exec(said ?? "")?.[1];
      return [names[name] ?? name.toUpperCase(), ...(steps === undefined ? [] : [steps])].join("-");
    })
    .join(" and ");
}

/** The same, with "(upper bound)" where a stronger attack may leave less. */
export function attackWithBound(attack: string, settings: readonly string[]): string {
  const bound = isNoise(attack) || attackRank(attack) === 0 ? "" : " (upper bound)";
  return `${attackWords(attack, settings)}${bound}`;
}

/** "±2/255", and the norm where it is not the usual one. */
export function sizeWords({ epsilon, norm }: Pick<AttackResult, "epsilon"> & { readonly norm: Norm | "none" }): string {
  return norm === "linf" || norm === "none" ? `±${formatEpsilon(epsilon)}` : `${norm} ${formatEpsilon(epsilon)}`;
}
