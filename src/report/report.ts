import { counted } from "../words.ts";
import { membersOf } from "./encoders.ts";
import type { ReportInput } from "./input.ts";
import { htmlPage, note, type Part, sectionsWithLinks } from "./page.ts";
import { corruptionsPart } from "./sections/corruptions.ts";
import { curvesPart } from "./sections/curves.ts";
import { glossaryPart } from "./sections/glossary.ts";
import { interpretabilityFolds } from "./sections/interpretability.ts";
import { missingPart } from "./sections/missing.ts";
import { neighboursPart } from "./sections/neighbours.ts";
import { picturesPart, shownExamples } from "./sections/pictures.ts";
import { probeFolds } from "./sections/probes.ts";
import { provenanceFolds } from "./sections/provenance.ts";
import { rankingPart } from "./sections/ranking.ts";
import { tradeoffPart } from "./sections/tradeoff.ts";
import { trainingFolds } from "./sections/training.ts";
import { verdictPart } from "./sections/verdict.ts";
import { readTiles } from "./tiles.ts";
import { type ReportView, viewOf } from "./view.ts";

export interface PageOptions {
  readonly title: string;
  /** Defaults of `lore train`'s options: settings that equal them are not shown. Default: none is known. */
  readonly defaults?: Readonly<Record<string, unknown>>;
}

/**
 * One self-contained HTML page of training runs and measurements: the verdict first, then what it rests on.
 *
 * @throws UsageError when a picture beside a finding cannot be read
 */
export async function reportPage(input: ReportInput, { title, defaults = {} }: PageOptions): Promise<string> {
  const view = viewOf(input);
  const tiles = await readTiles(shownExamples(view));
  return htmlPage(title, [
    note(about(view)),
    ...sectionsWithLinks([
      verdictPart(view),
      curvesPart(view),
      picturesPart(view, tiles),
      rankingPart(view),
      tradeoffPart(view),
      neighboursPart(view),
      corruptionsPart(view),
      missingPart(view),
      morePart(view, defaults),
      glossaryPart(),
    ]),
  ]);
}

function about({ input: { findings, runs }, encoders }: ReportView): string {
  const dates = findings.map(({ finding }) => finding.date.slice(0, 10)).sort();
  const when =
    dates.length === 0 ? "" : dates[0] === dates.at(-1) ? ` of ${dates[0]}` : ` of ${dates[0]} to ${dates.at(-1)}`;
  const count = encoders.bases.flatMap(membersOf).length;
  return `${counted(count, "encoder")}, ${counted(runs.length, "training run")}, ${counted(findings.length, "measurement")}${when}.`;
}

function morePart(view: ReportView, defaults: Readonly<Record<string, unknown>>): Part {
  return {
    heading: "Details",
    link: "Details",
    content: [
      ...interpretabilityFolds(view),
      ...probeFolds(view),
      ...trainingFolds(view),
      ...provenanceFolds(view, defaults),
    ],
  };
}
