import type { ReportInput } from "./input.ts";
import { castOf } from "./legend.ts";
import { htmlPage, paragraph, sectionsWithContents } from "./page.ts";
import { accuracyParts } from "./sections/accuracy.ts";
import { benchmarkParts } from "./sections/benchmark.ts";
import { corruptionParts } from "./sections/corruptions.ts";
import { fidelityParts } from "./sections/fidelity.ts";
import { interpretabilityParts } from "./sections/interpretability.ts";
import { probeParts } from "./sections/probes.ts";
import { provenanceParts } from "./sections/provenance.ts";
import { summaryParts } from "./sections/summary.ts";
import { trainingParts } from "./sections/training.ts";

const sections = [
  summaryParts,
  accuracyParts,
  benchmarkParts,
  trainingParts,
  corruptionParts,
  probeParts,
  fidelityParts,
  interpretabilityParts,
  provenanceParts,
];

/**
 * One self-contained HTML page of training runs and measurements.
 *
 * @throws LoreError when a picture beside a finding cannot be read
 */
export function reportPage(input: ReportInput, title: string): string {
  const cast = castOf(input);
  const { runs, findings } = input;
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;
  const dates = findings.map(({ finding }) => finding.date.slice(0, 10)).sort();
  const when =
    dates.length === 0 ? "" : dates[0] === dates.at(-1) ? `, of ${dates[0]}` : `, of ${dates[0]} to ${dates.at(-1)}`;
  return htmlPage(title, [
    paragraph(
      `${count(cast.members.length, "encoder")}, ${count(findings.length, "measurement")}${when}, ${count(runs.length, "training run")}.`,
    ),
    ...sectionsWithContents(sections.flatMap((parts) => parts(input, cast))),
  ]);
}
