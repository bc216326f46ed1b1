import { type Corruption, extraCorruptions, type Severity } from "../../corruptions/index.ts";
import { defined } from "../../defined.ts";
import type { CorruptedEncoder, CorruptionRow } from "../../results/index.ts";
import type { Condition } from "./conditions.ts";
import type { CorruptionCounts } from "./counts.ts";

/** Corruptions, severities and noise that were measured. */
export interface Measured {
  readonly corruptions: readonly Corruption[];
  readonly severities: readonly Severity[];
  /** Standard deviations, pixel units of [0, 1]. */
  readonly noise: readonly number[];
}

/** Accuracies of each encoder, and its mean corruption error against the first. */
export function summarised(
  encoders: readonly { readonly name: string; readonly counts: CorruptionCounts }[],
  { corruptions, severities, noise }: Measured,
): readonly CorruptedEncoder[] {
  const all = encoders.map(({ name, counts }) => {
    const accuracy = (condition: Condition): number => {
      const { images, correct } = counts.find(condition)!;
      return correct / images;
    };
    const rows = corruptions.map((corruption): CorruptionRow => {
      const accuracies = severities.map((severity) => accuracy({ kind: "corruption", corruption, severity }));
      return { corruption, accuracies };
    });
    return {
      encoder: name,
      clean: accuracy({ kind: "clean" }),
      rows,
      noise: noise.map((sigma) => ({ sigma, accuracy: accuracy({ kind: "noise", sigma }) })),
    };
  });
  return all.map((one) => {
    const meanCorruptionError = meanError(one.rows, all[0]!.rows);
    return { ...one, ...defined({ meanCorruptionError }) };
  });
}

/** Mean over corruptions of summed errors relative to another encoder's; undefined where that one makes none. */
export function meanError(rows: readonly CorruptionRow[], reference: readonly CorruptionRow[]): number | undefined {
  const ratios = rows.flatMap((row, i) => {
    if ((extraCorruptions as readonly string[]).includes(row.corruption)) return [];
    const errors = errorsOf(reference[i]!);
    return errors > 0 ? [errorsOf(row) / errors] : [];
  });
  return ratios.length > 0 ? ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length : undefined;
}

function errorsOf({ accuracies }: CorruptionRow): number {
  return accuracies.reduce((sum, accuracy) => sum + 1 - accuracy, 0);
}
