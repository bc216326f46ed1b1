import { formatEpsilon } from "../epsilon.ts";
import type { AttackResult, Evaluation, PairedDifference } from "../results/index.ts";
import { percent, percentWithin, textTable } from "./table.ts";

/**
 * One row an encoder; clean accuracy and one column an attack.
 *
 * @param show how an accuracy over so many images reads
 */
export function evaluationCells(
  evaluations: readonly Evaluation[],
  show: (accuracy: number, images: number) => string = percent,
): {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  const attacks = evaluations[0]?.attacks ?? [];
  const header = ["encoder", "clean", ...attacks.map(attackTitle)];
  const rows = evaluations.map(({ encoder, images, clean, attacks }) => [
    encoder,
    show(clean, images),
    ...attacks.map(({ accuracy }) => show(accuracy, images)),
  ]);
  return { header, rows };
}

/** The same as plain text, with 95 % intervals; where attacks ran one after the other, a second table of what each left. */
export function evaluationTable(evaluations: readonly Evaluation[]): string {
  const { header, rows } = evaluationCells(evaluations, percentWithin);
  const tables = [textTable(header, rows), pairedTable(evaluations), stagesTable(evaluations)];
  return tables.filter((table) => table !== undefined).join("\n\n");
}

/** Differences to the first encoder on the same images, in points, with how probable chance alone makes them (McNemar). */
function pairedTable(evaluations: readonly Evaluation[]): string | undefined {
  const beside = evaluations.flatMap(({ encoder, paired }) => (paired ? [{ encoder, ...paired }] : []));
  const [first] = beside;
  if (!first) return undefined;
  const cell = ({ difference, p }: PairedDifference): string => {
    const points = (100 * difference).toFixed(1);
    return `${difference > 0 ? "+" : ""}${points} (${p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`})`;
  };
  const header = [`beside ${first.with}`, "clean", ...(evaluations[0]?.attacks ?? []).map(attackTitle)];
  return textTable(
    header,
    beside.map(({ encoder, clean, attacks }) => [encoder, cell(clean), ...attacks.map(cell)]),
  );
}

function stagesTable(evaluations: readonly Evaluation[]): string | undefined {
  const staged = evaluations.flatMap(({ encoder, attacks }) =>
    attacks.flatMap((attack) => (attack.stages ? [{ encoder, attack, stages: attack.stages }] : [])),
  );
  const [first] = staged;
  if (!first) return undefined;
  const rows = staged.map(({ encoder, attack, stages }) => [
    evaluations.length === 1 ? attackTitle(attack) : `${encoder} ${attackTitle(attack)}`,
    ...stages.map(({ accuracy, seconds }) => `${percent(accuracy)} ${seconds.toFixed(1)} s`),
  ]);
  return textTable(["left after", ...first.stages.map(({ attack }) => attack)], rows);
}

/** "pgd 2/255" ... */
export function attackTitle({ attack, epsilon }: Pick<AttackResult, "attack" | "epsilon">): string {
  return `${attack} ${formatEpsilon(epsilon)}`;
}
