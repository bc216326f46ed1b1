import type { Fidelity, Spread } from "../results/index.ts";
import { percent, textTable } from "./table.ts";

/** A row an encoder: medians of distance and cosine, violations, neighbours kept; a second table of recall. */
export function fidelityTable(found: Fidelity): string {
  const recall = recallTable(found);
  return [driftTable(found), ...(recall === undefined ? [] : [recall])].join("\n\n");
}

function recallTable({ encoders, attack }: Fidelity): string | undefined {
  const first = encoders[0]!.recall;
  if (!first) return undefined;
  const header = first.flatMap(({ k }) => [
    `text to image, recall at ${k}`,
    ...(attack === undefined ? [] : ["attacked"]),
  ]);
  const rows = encoders.map(({ encoder, recall = [] }) => [
    encoder,
    ...recall.flatMap(({ clean, attacked }) => [
      percent(clean),
      ...(attacked === undefined ? [] : [percent(attacked)]),
    ]),
  ]);
  return textTable(["encoder", ...header], rows);
}

function driftTable({ encoders, attack }: Fidelity): string {
  const k = encoders[0]!.neighbours.k;
  const columns = ["distance", "relative", "cosine"];
  const header = [
    ...["encoder", ...columns, "violated", `${k} nearest kept`],
    ...(attack === undefined ? [] : [...columns, `${k} nearest kept`].map((name) => `attacked: ${name}`)),
  ];
  const rows = encoders.map(({ encoder, clean, attacked, violationRate, neighbours }) => [
    ...[encoder, ...medians(clean), percent(violationRate), percent(neighbours.clean)],
    ...(attacked ? [...medians(attacked), percent(neighbours.attacked!)] : []),
  ]);
  return textTable(header, rows);
}

function medians(drift: {
  readonly distance: Spread;
  readonly relative: Spread;
  readonly cosine: Spread;
}): readonly string[] {
  const { distance, relative, cosine } = drift;
  return [distance.median.toPrecision(3), relative.median.toFixed(3), cosine.median.toFixed(3)];
}
