import { formatEpsilon } from "../epsilon.ts";
import type { Corruptions } from "../results/index.ts";
import { percent, textTable } from "./table.ts";

export interface Cells {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Corruptions by encoders, accuracies' mean over severities; below, accuracy under noise. */
export function corruptionsTable(corruptions: Corruptions): string {
  const { rows, noise } = corruptionsCells(corruptions);
  return [rows, ...(noise.rows.length > 0 ? [noise] : [])]
    .map(({ header, rows }) => textTable(header, rows))
    .join("\n\n");
}

/** The same as cells; no rows of noise where there was none. */
export function corruptionsCells({ encoders, extra, severities }: Corruptions): {
  readonly rows: Cells;
  readonly noise: Cells;
} {
  const names = encoders.map(({ encoder }) => encoder);
  const [first] = encoders;
  const row = (title: string, value: (encoder: Corruptions["encoders"][number]) => string): readonly string[] => [
    title,
    ...encoders.map(value),
  ];
  const common = first!.rows.flatMap(({ corruption }, i) => (extra.includes(corruption) ? [] : [i]));
  const others = first!.rows.flatMap(({ corruption }, i) => (extra.includes(corruption) ? [i] : []));
  const accuracyRow = (i: number): readonly string[] =>
    row(first!.rows[i]!.corruption, ({ rows }) => percent(mean(rows[i]!.accuracies)));
  const rows = [
    row("clean", ({ clean }) => percent(clean)),
    ...common.map(accuracyRow),
    ...(common.length > 1
      ? [row("mean", ({ rows }) => percent(mean(common.map((i) => mean(rows[i]!.accuracies)))))]
      : []),
    ...(first!.meanCorruptionError === undefined
      ? []
      : [row("mean corruption error", ({ meanCorruptionError }) => percent(meanCorruptionError!))]),
    ...others.map(accuracyRow),
  ];
  const noise = first!.noise.map(({ sigma }, i) =>
    row(formatEpsilon(sigma), ({ noise }) => percent(noise[i]!.accuracy)),
  );
  return {
    rows: { header: [`severities ${severities.join(", ")}`, ...names], rows },
    noise: { header: ["Gaussian noise", ...names], rows: noise },
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
