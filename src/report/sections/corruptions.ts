import type { Corruptions } from "../../results/index.ts";
import { corruptionBarsFigure } from "../charts/corruption-bars.ts";
import { curvesFigure } from "../charts/curves.ts";
import { epsilonAxis, inPercent, legend, percentAxis } from "../charts/svg.ts";
import { corruptionsCells } from "../corruptions.ts";
import type { ReportInput } from "../input.ts";
import type { Cast } from "../legend.ts";
import { details, grid, htmlTable, note, type Part, warning } from "../page.ts";
import { overImages, percent } from "../table.ts";

/** Bars a corruption, curves over severities and over noise, and the tables; a part a data set. */
export function corruptionParts({ findings }: ReportInput, cast: Cast): readonly Part[] {
  return findings.flatMap(({ finding }) =>
    finding.kind === "corruptions"
      ? [{ heading: `Common corruptions: ${finding.content.dataset}`, content: content(finding.content, cast) }]
      : [],
  );
}

function content(found: Corruptions, cast: Cast): readonly string[] {
  const { parameters, severities, encoders, warnings } = found;
  const over = `${overImages(found)}; corruptions as in ${parameters}.`;
  const shorter = { ...found, encoders: encoders.map((one) => ({ ...one, encoder: cast.of(one.encoder).short })) };
  const { rows, noise } = corruptionsCells(shorter);
  return [
    htmlTable(
      rows.header,
      rows.rows.filter(([title]) => overall.includes(title!)),
    ),
    note(
      `${over} Accuracies are means over severities ${severities.join(", ")}; the mean corruption error is relative to the first encoder's, less is better.`,
    ),
    ...warnings.map(warning),
    legend(encoders.map(({ encoder }) => ({ name: cast.of(encoder).short, look: cast.of(encoder).look }))),
    grid([...bars(found, cast, over), ...severityMean(found, cast, over), ...noiseCurves(found, cast, over)]),
    details(
      "All numbers",
      htmlTable(rows.header, rows.rows),
      ...(noise.rows.length > 0 ? [htmlTable(noise.header, noise.rows)] : []),
    ),
    ...(encoders[0]!.rows.length > 0
      ? [
          details(
            "By severity, corruption by corruption",
            severityTable(found, cast),
            grid(severityCurves(found, cast), "small"),
          ),
        ]
      : []),
  ];
}

/** Rows that are over all corruptions. */
const overall = ["clean", "mean", "mean corruption error"];

function bars({ encoders, severities }: Corruptions, cast: Cast, over: string): readonly string[] {
  const corruptions = encoders[0]!.rows.map(({ corruption }) => corruption);
  if (corruptions.length === 0) return [];
  return [
    corruptionBarsFigure({
      title: "Accuracy under each corruption",
      note: `Mean over severities ${severities.join(", ")}; bars in the order of the legend; "All numbers" below has them. ${over}`,
      corruptions,
      encoders: encoders.map(({ encoder, rows }) => ({
        member: cast.of(encoder),
        accuracies: rows.map(({ accuracies }) => mean(accuracies)),
      })),
    }),
  ];
}

function severityMean({ encoders, severities, extra }: Corruptions, cast: Cast, over: string): readonly string[] {
  const common = encoders[0]!.rows.flatMap(({ corruption }, i) => (extra.includes(corruption) ? [] : [i]));
  if (common.length === 0 || severities.length < 2) return [];
  return [
    curvesFigure({
      title: "Accuracy against severity",
      note: `Mean over ${common.length} corruptions; severity 0 is clean. ${over}`,
      x: { name: "severity", min: 0, max: 5, interval: 1 },
      y: percentAxis,
      shown: (value) => `${value.toFixed(1)} %`,
      curves: encoders.map(({ encoder, clean, rows }) => ({
        member: cast.of(encoder),
        points: [
          [0, inPercent(clean)],
          ...severities.map(
            (severity, i) => [severity, inPercent(mean(common.map((j) => rows[j]!.accuracies[i]!)))] as const,
          ),
        ],
      })),
    }),
  ];
}

function noiseCurves({ encoders }: Corruptions, cast: Cast, over: string): readonly string[] {
  if (encoders[0]!.noise.length < 2) return [];
  return [
    curvesFigure({
      title: "Accuracy under Gaussian noise",
      note: over,
      x: epsilonAxis(
        "standard deviation",
        encoders[0]!.noise.map(({ sigma }) => sigma),
      ),
      y: percentAxis,
      shown: (value) => `${value.toFixed(1)} %`,
      curves: encoders.map(({ encoder, noise }) => ({
        member: cast.of(encoder),
        points: noise.map(({ sigma, accuracy }) => [sigma, inPercent(accuracy)] as const).toSorted(([a], [b]) => a - b),
      })),
    }),
  ];
}

function severityTable({ encoders, severities }: Corruptions, cast: Cast): string {
  const rows = encoders[0]!.rows.flatMap(({ corruption }, i) =>
    encoders.map(({ encoder, rows }) => [
      `${corruption}, ${cast.of(encoder).short}`,
      ...rows[i]!.accuracies.map(percent),
    ]),
  );
  return htmlTable(["severity", ...severities.map(String)], rows);
}

function severityCurves({ encoders, severities, images }: Corruptions, cast: Cast): readonly string[] {
  if (severities.length < 2) return [];
  return encoders[0]!.rows.map(({ corruption }, i) =>
    curvesFigure({
      title: corruption.replaceAll("_", " "),
      note: `${images} images a severity`,
      x: { min: 0, max: 5, interval: 1 },
      y: { min: 0, max: 100, interval: 50 },
      shown: (value) => `${value.toFixed(1)} %`,
      curves: encoders.map(({ encoder, clean, rows }) => ({
        member: cast.of(encoder),
        points: [
          [0, inPercent(clean)],
          ...severities.map((severity, j) => [severity, inPercent(rows[i]!.accuracies[j]!)] as const),
        ],
      })),
      small: true,
    }),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
