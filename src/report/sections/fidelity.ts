import type { Drift, Fidelity, FidelityOf, Spread } from "../../results/index.ts";
import { histogramFigure } from "../charts/histogram.ts";
import { legend } from "../charts/svg.ts";
import { shortNumber } from "../charts/training.ts";
import type { ReportInput } from "../input.ts";
import type { Cast } from "../legend.ts";
import { grid, htmlTable, note, type Part, subheading, warning } from "../page.ts";
import { overImages, percent } from "../table.ts";

/** How far embeddings are from the original's, and what that does to neighbours and retrieval; a part a data set. */
export function fidelityParts({ findings }: ReportInput, cast: Cast): readonly Part[] {
  return findings.flatMap(({ finding }) =>
    finding.kind === "fidelity"
      ? [{ heading: `Fidelity: ${finding.content.dataset}`, content: content(finding.content, cast) }]
      : [],
  );
}

function content(found: Fidelity, cast: Cast): readonly string[] {
  const { dataset, images, skipped, warnings = [], original, rho, marginExponent, attack, encoders } = found;
  const over = `${overImages({ images, skipped, dataset })}, embeddings compared with those of ${original}.`;
  const attacked = attack === undefined ? "" : ` Attacked by ${attack}.`;
  const allowed = `rho m(x), rho = ${rho}, m(x) = |phi0(x)|^${marginExponent}`;
  const rows = encoders.flatMap((one) => drifts(one, cast));
  const quantiles = encoders[0]?.clean.distance.quantiles;
  return [
    htmlTable(["embeddings", "squared distance", "relative distance", "cosine"], rows),
    note(
      `${over}${attacked} Medians` +
        (quantiles
          ? `, and in brackets the ${quantiles.map((share) => `${shortNumber(100 * share)} %`).join(" and ")} quantiles.`
          : "."),
    ),
    ...warnings.map(warning),
    subheading("What is kept"),
    keptTable(encoders, cast),
    note(`Violated: share of images whose clean distance exceeds ${allowed}. ${over}`),
    legend(encoders.map(({ encoder }) => ({ name: cast.of(encoder).short, look: cast.of(encoder).look }))),
    grid([
      histogramFigure({
        title: "Clean distance over what is allowed",
        note: `Allowed is ${allowed}. The last bin is open. ${over}`,
        name: "distance / allowed",
        encoders: encoders.map(({ encoder, histogram }) => ({ member: cast.of(encoder), ...histogram })),
      }),
    ]),
  ];
}

function drifts({ encoder, clean, attacked }: FidelityOf, cast: Cast): readonly (readonly string[])[] {
  const row = (name: string, { distance, relative, cosine }: Drift): readonly string[] => [
    `${cast.of(encoder).short}, ${name}`,
    spread(distance),
    spread(relative),
    spread(cosine),
  ];
  return [row("clean", clean), ...(attacked ? [row("attacked", attacked)] : [])];
}

function keptTable(encoders: readonly FidelityOf[], cast: Cast): string {
  const both = (clean: number, attacked: number | undefined): readonly string[] => [
    percent(clean),
    attacked === undefined ? "-" : percent(attacked),
  ];
  const recalls = [...new Set(encoders.flatMap(({ recall = [] }) => recall.map(({ k }) => k)))];
  const k = encoders[0]?.neighbours.k ?? 0;
  const header = [
    "encoder",
    "violated",
    `nearest ${k} kept`,
    "attacked",
    ...recalls.flatMap((k) => [`text-to-image recall at ${k}`, "attacked"]),
  ];
  const rows = encoders.map(({ encoder, violationRate, neighbours, recall = [] }) => [
    cast.of(encoder).short,
    percent(violationRate),
    ...both(neighbours.clean, neighbours.attacked),
    ...recalls.flatMap((k) => {
      const at = recall.find((one) => one.k === k);
      return at ? both(at.clean, at.attacked) : ["-", "-"];
    }),
  ]);
  return htmlTable(header, rows);
}

/** "0.12 [0.05, 0.4]": the median between two quantiles. */
export function spread({ median, low, high }: Spread, show: (value: number) => string = shortNumber): string {
  return `${show(median)} [${show(low)}, ${show(high)}]`;
}
