import type { Probes } from "../../results/index.ts";
import { counted } from "../../words.ts";
import { shortNumber } from "../charts/training.ts";
import type { Encoders } from "../encoders.ts";
import { fold, htmlTable, note, warning } from "../page.ts";
import { overImages, percent } from "../table.ts";
import type { ReportView } from "../view.ts";

/** Linear probe and nearest neighbours; a fold a pair of data sets. */
export function probeFolds({ input: { findings }, encoders, dataset }: ReportView): readonly string[] {
  return findings.flatMap(({ finding }) =>
    finding.kind === "probes"
      ? [
          fold(
            "Probes",
            "how much classifiers fitted on frozen embeddings can read from them",
            ...content(
              { ...finding.content, train: dataset(finding.content.train), test: dataset(finding.content.test) },
              encoders,
            ),
          ),
        ]
      : [],
  );
}

function content(found: Probes, known: Encoders): readonly string[] {
  const { train, test, trainImages, testImages, skipped = 0, classes, encoders, warnings = [] } = found;
  const ks = [...new Set(encoders.flatMap(({ neighbours }) => neighbours.map(({ k }) => k)))].sort((a, b) => a - b);
  const rows = encoders.map(({ encoder, linear, neighbours }) => [
    known.of(encoder).short,
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
