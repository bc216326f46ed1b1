import { UsageError } from "../errors.ts";
import { apgd } from "./apgd.ts";
import { fab } from "./fab.ts";
import { type Attack, attackName, attackNorm, type BallAttack } from "./registry.ts";
import { square } from "./square.ts";
import type { Norm, ThreatModel } from "./threat.ts";

/**
 * Attacks that run one after the other, each on the images that are still classified correctly: the worst case counts
 * (Croce and Hein 2020).
 */
export interface AutoAttack extends ThreatModel {
  readonly kind: "autoattack";
  readonly version: AutoAttackVersion;
  readonly attacks: readonly Attack[];
}

interface Version {
  /** Names on the command line and in suites; the first is that in results. */
  readonly names: readonly string[];
  readonly attacks: (threat: ThreatModel) => readonly Attack[];
}

/** The reference implementation's versions, and "lore": APGD-CE and APGD-T, the pair that FARE's and LORE's papers report. */
const versions = {
  standard: {
    names: ["autoattack", "standard"],
    attacks: ({ epsilon, norm }: ThreatModel): readonly Attack[] =>
      norm === "l1"
        ? [apgd({ epsilon, norm, restarts: 5 }), apgd({ epsilon, norm, loss: "targeted-dlr", targets: 5 })]
        : [
            apgd({ epsilon, norm }),
            apgd({ epsilon, norm, loss: "targeted-dlr" }),
            fab({ epsilon, norm }),
            square({ epsilon, norm }),
          ],
  },
  plus: {
    names: ["autoattack-plus"],
    attacks: ({ epsilon, norm }: ThreatModel): readonly Attack[] => {
      const gradient = [apgd({ epsilon, norm, restarts: 5 }), apgd({ epsilon, norm, loss: "dlr", restarts: 5 })];
      const targeted = apgd({ epsilon, norm, loss: "targeted-dlr" });
      if (norm === "l1") return [...gradient, targeted];
      return [
        ...gradient,
        fab({ epsilon, norm, targeted: false, restarts: 5 }),
        square({ epsilon, norm }),
        targeted,
        fab({ epsilon, norm }),
      ];
    },
  },
  rand: {
    names: ["autoattack-rand"],
    attacks: ({ epsilon, norm }: ThreatModel): readonly Attack[] => [
      apgd({ epsilon, norm, eot: 20 }),
      apgd({ epsilon, norm, loss: "dlr", eot: 20 }),
    ],
  },
  lore: {
    names: ["lore"],
    // The published code builds a "custom" AutoAttack, which leaves APGD-CE at its constructor's 5 restarts.
    attacks: ({ epsilon, norm }: ThreatModel): readonly Attack[] => [
      apgd({ epsilon, norm, restarts: 5 }),
      apgd({ epsilon, norm, loss: "targeted-dlr" }),
    ],
  },
} as const satisfies Readonly<Record<string, Version>>;

type NamedVersion = keyof typeof versions;

export type AutoAttackVersion = NamedVersion | "custom";

export type PresetName = (typeof versions)[NamedVersion]["names"][number];

/** The versions by their names on the command line. */
export const presets = new Map<string, NamedVersion>(
  (Object.keys(versions) as NamedVersion[]).flatMap((version) =>
    versions[version].names.map((name) => [name, version] as const),
  ),
);

export interface AutoAttackOptions {
  readonly epsilon: number;
  /** Default "linf". */
  readonly norm?: Norm;
  /** Default "standard". */
  readonly version?: NamedVersion;
}

/**
 * AutoAttack with the reference implementation's settings. For l1 only its APGD attacks, since FAB and Square are made
 * for l-inf and l2 here.
 *
 * @throws UsageError when epsilon is outside [0, 1] (l-inf) or negative
 *
 * @example
 * ```ts
 * import { autoAttack } from "lore-vision";
 *
 * const standard = autoAttack({ epsilon: 2 / 255 });
 * const asInThePapers = autoAttack({ epsilon: 2 / 255, version: "lore" });
 * console.log(standard.attacks.length, asInThePapers.attacks.length);
 * ```
 */
export function autoAttack({ epsilon, norm = "linf", version = "standard" }: AutoAttackOptions): AutoAttack {
  return { kind: "autoattack", version, norm, epsilon, attacks: versions[version].attacks({ epsilon, norm }) };
}

/**
 * A custom list of attacks, worst case over all.
 *
 * @throws UsageError when the list is empty or its attacks differ in norm or epsilon
 */
export function attackList(attacks: readonly BallAttack[]): AutoAttack {
  const [first] = attacks;
  if (!first) throw new UsageError("A list of attacks needs at least one.");
  const { norm, epsilon } = first;
  if (attacks.some((attack) => attack.norm !== norm || attack.epsilon !== epsilon))
    throw new UsageError("The attacks of a list share one norm and one epsilon: their worst case is within one ball.");
  return { kind: "autoattack", version: "custom", norm, epsilon, attacks };
}

/** The attacks of a list in their order; a single attack is a list of one. */
export function attacksIn(measured: Attack | AutoAttack): readonly Attack[] {
  return measured.kind === "autoattack" ? measured.attacks : [measured];
}

/** The norm that bounds the perturbations of a measurement; "none" where nothing does. */
export function measurementNorm(measured: Attack | AutoAttack): Norm | "none" {
  return measured.kind === "autoattack" ? measured.norm : attackNorm(measured);
}

/** `pgd`, `apgd-t`, `autoattack`, `autoattack-plus`, `lore`, or the attacks of a custom list: `apgd-ce+square`. */
export function measurementName(measured: Attack | AutoAttack): string {
  if (measured.kind !== "autoattack") return attackName(measured);
  const { version, attacks } = measured;
  return version === "custom" ? attacks.map(attackName).join("+") : versions[version].names[0];
}
