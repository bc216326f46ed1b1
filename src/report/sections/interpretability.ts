import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Interpretability, InterpretabilityOf, NearestTexts, Synthesis } from "../../results/index.ts";
import type { Encoders } from "../encoders.ts";
import { levels } from "../interpretability.ts";
import { details, embeddedPng, escapeHtml, fold, grid, htmlTable, note, subheading, warning } from "../page.ts";
import { overImages, percent } from "../table.ts";
import type { ReportView } from "../view.ts";
import { spread } from "./neighbours.ts";

/** Alignment with texts, saliency, flips, nearest texts, and pictures; a fold a measurement. */
export function interpretabilityFolds({ input: { findings }, encoders, dataset }: ReportView): readonly string[] {
  return findings.flatMap(({ folder, finding }) =>
    finding.kind === "interpretability"
      ? [
          fold(
            "Interpretability",
            "whether gradients and texts make sense",
            ...content({ ...finding.content, dataset: dataset(finding.content.dataset) }, folder, encoders),
          ),
        ]
      : [],
  );
}

function content(found: Interpretability, folder: string, known: Encoders): readonly string[] {
  const { templates, encoders, pictures, warnings = [] } = found;
  const quantiles = encoders[0]?.saliencySharpness.quantiles.map((share) => `${100 * share} %`).join(" and ");
  const rows = encoders.map(({ encoder, alignment, saliencySharpness, flip: { epsilon, share, upTo } }) => [
    known.of(encoder).short,
    alignment ? spread(alignment) : "-",
    spread(saliencySharpness),
    epsilon ? spread(epsilon, levels) : "-",
    `${percent(share)} (to ${levels(upTo)})`,
  ]);
  return [
    htmlTable(
      [
        "encoder",
        "median cosine with own class's texts",
        "median sharpness of saliency",
        "median epsilon that flips",
        "flipped",
      ],
      rows,
    ),
    note(
      `${overImages(found)}, ${templates} templates. In brackets: the ${quantiles} quantiles. ` +
        "Sharpness is the Gini coefficient of the input gradient: 0 is even, 1 a single pixel. " +
        "Flipped: the share of images whose prediction PGD changed.",
    ),
    ...warnings.map(warning),
    ...templatesTable(encoders, known),
    ...encoders.flatMap(({ encoder, nearest }) => nearestTable(nearest, known.of(encoder).short)),
    ...synthesisTable(encoders, known),
    ...(pictures.length === 0 ? [] : [subheading("Pictures"), grid(pictures.map((one) => figure(folder, one)))]),
  ];
}

function figure(folder: string, picture: Interpretability["pictures"][number]): string {
  const png = readFileSync(join(folder, picture.file));
  return `<figure>${embeddedPng(png, picture.description)}<figcaption>${escapeHtml(picture.description)}</figcaption></figure>`;
}

function templatesTable(encoders: readonly InterpretabilityOf[], known: Encoders): readonly string[] {
  const templates = [
    ...new Set(encoders.flatMap(({ alignmentByTemplate = [] }) => alignmentByTemplate.map(({ template }) => template))),
  ];
  if (templates.length === 0) return [];
  const rows = templates.map((template) => [
    template,
    ...encoders.map(({ alignmentByTemplate = [] }) => {
      const found = alignmentByTemplate.find((one) => one.template === template);
      return found ? found.cosine.toFixed(3) : "-";
    }),
  ]);
  const names = encoders.map(({ encoder }) => known.of(encoder).short);
  return [details(`Cosine by template (${templates.length})`, htmlTable(["template", ...names], rows))];
}

function nearestTable(nearest: readonly NearestTexts[], name: string): readonly string[] {
  if (nearest.length === 0) return [];
  const rows = nearest.map(({ image, texts }) => [
    image,
    texts.map(({ text, cosine }) => `${text} (${cosine.toFixed(3)})`).join("; "),
  ]);
  return [details(`Nearest texts: ${name}`, htmlTable(["image", "nearest texts (cosine)"], rows, { text: [1] }))];
}

function synthesisTable(encoders: readonly InterpretabilityOf[], known: Encoders): readonly string[] {
  const rows = encoders.flatMap(({ encoder, similarity, synthesis }) =>
    synthesis.map(({ towards, from, to }: Synthesis) => [
      towards,
      known.of(encoder).short,
      similarity,
      from.toFixed(3),
      to.toFixed(3),
    ]),
  );
  if (rows.length === 0) return [];
  return [
    subheading("Images synthesised by gradient ascent"),
    htmlTable(["towards", "encoder", "similarity", "of the grey image", "of what became of it"], rows),
  ];
}
