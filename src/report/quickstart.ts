import { formatEpsilon } from "../epsilon.ts";
import type { AttackedExample } from "../measure/accuracy/index.ts";
import type { Evaluation, PairedEvaluation } from "../results/index.ts";
import { pairedInterval } from "../statistics.ts";
import { evaluationCells } from "./evaluation.ts";
import { amplifiedDifference, galleryPng } from "./gallery.ts";
import { embeddedPng, htmlPage, htmlTable, paragraph, preformatted, section } from "./page.ts";
import { points } from "./table.ts";

/** Figures of one encoder in quickstart. */
export interface QuickstartRow {
  readonly name: string;
  readonly test: Evaluation;
  /** On pairs of colour and shape that the original never saw together. */
  readonly unseen: Evaluation;
  readonly examples: readonly AttackedExample[];
}

export interface QuickstartFacts {
  /** Size that encoders are trained at. */
  readonly epsilon: number;
  /** Size of the attack in the picture. */
  readonly pictured: number;
  /** Lines to begin with; see `quickstartHeadline`. */
  readonly headline: readonly string[];
  readonly trainingImages: number;
  readonly settings: object;
}

/**
 * The gain and the price of the recipe in three lines, differences with 95 % intervals of the same images.
 *
 * @param rows the original first, the recipe last
 * @param gain the recipe beside the original, on the test images
 */
export function quickstartHeadline(rows: readonly QuickstartRow[], gain: PairedEvaluation): readonly string[] {
  const [original, recipe] = [rows[0]!, rows.at(-1)!];
  const percent = (share: number): string => (100 * share).toFixed(1);
  const attacked = original.test.attacks.map(({ epsilon, accuracy }, i) => {
    const { difference, gained, lost } = gain.attacks[i]!;
    const { low, high } = pairedInterval(gained, lost, original.test.images);
    const change = `${percent(accuracy)} -> ${percent(recipe.test.attacks[i]!.accuracy)} %`;
    return `attacked at ${formatEpsilon(epsilon)}: ${change} (${points(difference)} [${points(low)} to ${points(high)}])`;
  });
  return [
    ...attacked.map((line, i) => (i === 0 ? `The recipe, ${line}` : `            ${line}`)),
    `The price:  clean ${percent(original.test.clean)} -> ${percent(recipe.test.clean)} %; on pairs it never saw ${percent(original.unseen.clean)} -> ${percent(recipe.unseen.clean)} %.`,
  ];
}

/** One row an encoder: clean and attacked accuracy, on test images and on unseen pairs. */
export function quickstartCells(rows: readonly QuickstartRow[]): {
  readonly header: readonly string[];
  readonly cells: readonly (readonly string[])[];
} {
  const test = evaluationCells(rows.map((row) => ({ ...row.test, encoder: row.name })));
  const unseen = evaluationCells(rows.map((row) => row.unseen));
  // One attack only: its name stands below the table, which fits 80 columns without it.
  const columns = test.header.map((column) => column.replace(/^pgd /, ""));
  return {
    header: [...columns, ...columns.slice(1).map((column) => `unseen ${column}`)],
    cells: test.rows.map((cells, i) => [...cells, ...unseen.rows[i]!.slice(1)]),
  };
}

/** The page and the picture in it. The first row is the original encoder. */
export async function quickstartReport(
  rows: readonly QuickstartRow[],
  { epsilon, pictured, headline, trainingImages, settings }: QuickstartFacts,
): Promise<{ readonly png: Uint8Array; readonly html: string }> {
  const original = rows[0]!;
  const png = await galleryPng({
    size: Math.sqrt(original.examples[0]!.clean.length / 3),
    rows: [
      original.examples.map(({ clean }) => clean),
      original.examples.map(({ perturbed }) => perturbed),
      original.examples.map(({ clean, perturbed }) => amplifiedDifference(perturbed, clean, pictured)),
    ],
  });
  const { header, cells } = quickstartCells(rows);
  const names = original.examples.map(({ label, predictedClean }, i) => {
    const checked = (name: string): string => `${name === label ? "\u2713" : "\u2717"} ${name}`;
    return [label, checked(predictedClean), ...rows.map(({ examples }) => checked(examples[i]!.predictedPerturbed))];
  });
  const size = formatEpsilon(epsilon);
  const html = htmlPage("lore-vision quickstart", [
    paragraph(
      "A small CLIP is attacked, then its image tower is fine-tuned without labels by FARE, by LORE and by lore train's recipe, and attacked again. All images are generated.",
    ),
    preformatted(headline.join("\n")),
    section(
      "Zero-shot accuracy",
      htmlTable(header, cells),
      paragraph(
        `${original.test.images} test images, and ${original.unseen.images} of pairs of colour and shape that the encoder never saw together ("unseen"). ` +
          `The text tower names one of ${original.test.classes} pairs. PGD, l-inf, 20 steps of epsilon / 4, one random start.`,
      ),
    ),
    section(
      `Eight images, attacked at ${formatEpsilon(pictured)}`,
      embeddedPng(
        png,
        "Eight test images in columns: as they are, as the attack on the original encoder changed them, and the difference",
      ),
      paragraph(
        "Each encoder is attacked on its own. From top to bottom: the image, the image perturbed against the original encoder, the difference (mid-grey is none, black and white are epsilon).",
      ),
      htmlTable(["shown", "original, clean", ...rows.map(({ name }) => `${name}, attacked`)], names),
    ),
    section("Settings", preformatted(JSON.stringify({ epsilon: size, trainingImages, ...settings }, undefined, 2))),
  ]);
  return { png, html };
}
