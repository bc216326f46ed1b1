import type { Drift, Fidelity, FidelityOf, Spread } from "../../results/index.ts";
import { histogramFigure } from "../charts/histogram.ts";
import { legend } from "../charts/svg.ts";
import { shortNumber } from "../charts/training.ts";
import { type Cell, details, escapeHtml, grid, htmlTable, note, type Part, warning } from "../page.ts";
import { overImages, percent } from "../table.ts";
import { nameCell, type ReportView } from "../view.ts";

/** Will an index of embeddings survive the change of encoder: neighbours kept and cosines; distances below, folded. */
export function neighboursPart(view: ReportView): Part {
  const found = view.input.findings.flatMap(({ finding }) => (finding.kind === "fidelity" ? [finding.content] : []));
  return {
    heading: "Will my index survive?",
    link: "Index",
    lead: "An index holds the original's embeddings. Where most nearest neighbours stay the same, a robust encoder can query it; else embed everything again.",
    content: found.flatMap((one) => content(one, view)),
  };
}

/** Shares of neighbours kept: from the first on an index can stay; below the second it is worth nothing. */
const [enough, few] = [0.95, 0.8];

function advice(kept: number): { readonly tone: string; readonly text: string } {
  if (kept >= enough) return { tone: "good", text: "keep the index" };
  return kept >= few ? { tone: "", text: "embed again where order matters" } : { tone: "bad", text: "embed again" };
}

function content(found: Fidelity, view: ReportView): readonly string[] {
  const { warnings = [], original, attack, dataset, images, skipped } = found;
  // The original may be among the encoders twice: to be attacked, and as it was given.
  const encoders = found.encoders.filter(
    ({ encoder }, i, all) => all.findIndex((one) => view.encoders.of(one.encoder) === view.encoders.of(encoder)) === i,
  );
  const over = `${overImages({ images, skipped, dataset: view.dataset(dataset) })}, embeddings compared with those of ${view.encoders.of(original).short}.`;
  const k = encoders[0]?.neighbours.k ?? 0;
  const recalls = [...new Set(encoders.flatMap(({ recall = [] }) => recall.map((one) => one.k)))];
  const attacked = attack !== undefined;
  const header = [
    "encoder",
    `${k} nearest kept`,
    "advice",
    ...(attacked ? ["kept, attacked"] : []),
    "median cosine to the original",
    ...(attacked ? ["median cosine, attacked"] : []),
    ...recalls.flatMap((n) => [`text-to-image recall at ${n}`, ...(attacked ? ["attacked"] : [])]),
  ];
  const rows = encoders.map(({ encoder, neighbours, clean, attacked: moved, recall = [] }): readonly Cell[] => {
    const { tone, text } = advice(neighbours.clean);
    const isOriginal = view.encoders.of(encoder) === view.encoders.of(original);
    return [
      nameCell(view.encoders.of(encoder)),
      bar(neighbours.clean),
      isOriginal ? "-" : { html: `<span class="badge ${tone}">${text}</span>` },
      ...(attacked ? [neighbours.attacked === undefined ? "-" : bar(neighbours.attacked)] : []),
      cosine(clean.cosine),
      ...(attacked ? [moved ? cosine(moved.cosine) : "-"] : []),
      ...recalls.flatMap((n) => {
        const at = recall.find((one) => one.k === n);
        return [
          at ? percent(at.clean) : "-",
          ...(attacked ? [at?.attacked === undefined ? "-" : percent(at.attacked)] : []),
        ];
      }),
    ];
  });
  return [
    htmlTable(header, rows),
    note(
      `${over}${attacked ? ` Attacked: ${attack}, away from the clean embedding.` : ""} In brackets: the 5 % and 95 % quantiles over images.`,
    ),
    ...warnings.map(warning),
    distances({ ...found, encoders }, over, view),
  ];
}

function bar(share: number): Cell {
  return {
    html: `<span class="bar" aria-hidden="true"><span style="width:${(100 * share).toFixed(1)}%"></span></span><span>${percent(share)}</span>`,
  };
}

function cosine({ median, low, high }: Spread): Cell {
  return { html: `${median.toFixed(3)} <small>[${low.toFixed(2)}, ${high.toFixed(2)}]</small>` };
}

/** How far embeddings moved, and how many images violate the constraint of LORE. */
function distances({ encoders, rho, marginExponent }: Fidelity, over: string, view: ReportView): string {
  const row = (one: FidelityOf, name: string, { distance, relative }: Drift, violated: string): readonly string[] => [
    `${view.encoders.of(one.encoder).short}, ${name}`,
    spread(distance),
    spread(relative),
    violated,
  ];
  const rows = encoders.flatMap((one) => [
    row(one, "clean", one.clean, percent(one.violationRate)),
    ...(one.attacked ? [row(one, "attacked", one.attacked, "-")] : []),
  ]);
  const allowed = `rho m(x), rho = ${rho}, m(x) = |phi0(x)|^${marginExponent}`;
  const shown = encoders.map((one) => view.encoders.of(one.encoder));
  return details(
    "Distances of embeddings, and constraints violated",
    htmlTable(["embeddings", "median squared distance", "median relative distance", "images beyond the limit"], rows),
    note(`The limit is ${escapeHtml(allowed)}. ${over}`),
    legend(shown.map(({ short, style }) => ({ name: short, style }))),
    grid([
      histogramFigure({
        title: "Clean distance over what is allowed",
        note: `Allowed is ${allowed}. The last bin is open. ${over}`,
        name: "distance / allowed",
        encoders: encoders.map(({ encoder, histogram }) => ({ encoder: view.encoders.of(encoder), ...histogram })),
      }),
    ]),
  );
}

/** "0.12 [0.05, 0.4]": the median between two quantiles. */
export function spread({ median, low, high }: Spread, show: (value: number) => string = shortNumber): string {
  return `${show(median)} [${show(low)}, ${show(high)}]`;
}
