import { type Evaluation, formatEpsilon } from "../evaluation/index.ts";
import { percent, textTable } from "./table.ts";

/** One row an encoder; clean accuracy and one column an attack. */
export function evaluationCells(evaluations: readonly Evaluation[]): {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  const attacks = evaluations[0]?.attacks ?? [];
  const header = ["encoder", "clean", ...attacks.map(({ attack, epsilon }) => `${attack} ${formatEpsilon(epsilon)}`)];
  const rows = evaluations.map(({ encoder, clean, attacks }) => [
    encoder,
    percent(clean),
    ...attacks.map(({ accuracy }) => percent(accuracy)),
  ]);
  return { header, rows };
}

/** The same as plain text. */
export function evaluationTable(evaluations: readonly Evaluation[]): string {
  const { header, rows } = evaluationCells(evaluations);
  return textTable(header, rows);
}
