import { formatEpsilon } from "../epsilon.ts";

interface Evaluated {
  readonly clean: number;
  readonly attacks: readonly { readonly attack: string; readonly epsilon: number; readonly accuracy: number }[];
}

/** Accuracies by name: `clean`, `pgd 2/255`. If there are several, the blend's weight or the encoder comes first. */
export type Accuracies = ReadonlyMap<string, number>;

/** Accuracies in the `--json` output of `lore evaluate` or `lore blend`; none in other answers. */
export function accuraciesIn(result: unknown): Accuracies {
  return new Map(entriesIn(result, ""));
}

function entriesIn(value: unknown, prefix: string): readonly (readonly [string, number])[] {
  if (typeof value !== "object" || value === null) return [];
  if (isEvaluated(value)) {
    const attacks = value.attacks.map(
      ({ attack, epsilon, accuracy }) => [`${prefix}${attack} ${formatEpsilon(epsilon)}`, accuracy] as const,
    );
    return [[`${prefix}clean`, value.clean], ...attacks];
  }
  if (Array.isArray(value)) {
    const labels = value.map(({ encoder, weight }: { readonly encoder?: string; readonly weight?: number }) =>
      weight === undefined ? encoder : `weight ${weight}`,
    );
    return value.flatMap((one, i) => entriesIn(one, labels[i] === undefined ? prefix : `${prefix}${labels[i]} `));
  }
  const { points, evaluation } = value as { readonly points?: unknown; readonly evaluation?: unknown };
  return entriesIn(points ?? evaluation, prefix);
}

function isEvaluated(value: object): value is Evaluated {
  const { clean, attacks } = value as Partial<Evaluated>;
  return typeof clean === "number" && Array.isArray(attacks);
}
