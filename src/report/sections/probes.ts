import type { Probes } from "../../results/index.ts";
import { counted } from "../../words.ts";
import { shortNumber } from "../charts/training.ts";
import type { ReportInput } from "../input.ts";
import type { Cast } from "../legend.ts";
import { htmlTable, note, type Part, warning } from "../page.ts";
import { overImages, percent } from "../table.ts";

/** Linear probe and nearest neighbours; a part a pair of data sets. */
export function probeParts({ findings }: ReportInput, cast: Cast): readonly Part[] {
  return findings.flatMap(({ finding }) =>
    finding.kind === "probes"
      ? [{ heading: `Probes: ${finding.content.test}`, content: content(finding.content, cast) }]
      : [],
  );
}

function content(found: Probes, cast: Cast): readonly string[] {
  const { train, test, trainImages, testImages, skipped = 0, classes, encoders, warnings = [] } = found;
  const ks = [...new Set(encoders.flatMap(({ neighbours }) => neighbours.map(({ k }) => k)))].sort((a, b) => a - b);
  const rows = encoders.map(({ encoder, linear, neighbours }) => [
    cast.of(encoder).short,
    percent(linear.accuracy),
    percent(linear.trainAccuracy),
    shortNumber(linear.regularization),
    ...ks.map((k) => {
      const found = neighbours.find((one) => one.k === k);
      return found ? percent(found.accuracy) : "-";
    }),
  ]);
  return [
    htmlTable(["encoder", "linear probe", "on its training images", "l2", ...ks.map((k) => `${k} nearest`)], rows),
    note(
      `Fitted on ${overImages({ images: trainImages, dataset: train })}, measured on ` +
        `${overImages({ images: testImages, dataset: test, classes })}. ` +
        (skipped > 0 ? `${counted(skipped, "image")} more could not be read. ` : "") +
        "The encoder is frozen; l2 is the strength of regularization that held-out images chose.",
    ),
    ...warnings.map(warning),
  ];
}
