import type { Interpretability, InterpretabilityOf, NearestTexts, Synthesis } from "../../results/index.ts";
import type { ReportInput } from "../input.ts";
import { levels } from "../interpretability.ts";
import type { Cast } from "../legend.ts";
import { details, escapeHtml, grid, htmlTable, note, type Part, subheading, warning } from "../page.ts";
import { overImages, percent } from "../table.ts";
import { pictureOf } from "./accuracy.ts";
import { spread } from "./fidelity.ts";

/** Alignment with texts, saliency, flips, nearest texts, and pictures; a part a data set. */
export function interpretabilityParts({ findings }: ReportInput, cast: Cast): readonly Part[] {
  return findings.flatMap(({ folder, finding }) =>
    finding.kind === "interpretability"
      ? [{ heading: `Interpretability: ${finding.content.dataset}`, content: content(finding.content, folder, cast) }]
      : [],
  );
}

function content(found: Interpretability, folder: string, cast: Cast): readonly string[] {
  const { templates, encoders, pictures, warnings = [] } = found;
  const quantiles = encoders[0]?.saliencySharpness.quantiles.map((share) => `${100 * share} %`).join(" and ");
  const rows = encoders.map(({ encoder, alignment, saliencySharpness, flip: { epsilon, share, upTo } }) => [
    cast.of(encoder).short,
    alignment ? spread(alignment) : "-",
    spread(saliencySharpness),
    epsilon ? spread(epsilon, levels) : "-",
    `${percent(share)} (to ${levels(upTo)})`,
  ]);
  return [
    htmlTable(
      ["encoder", "cosine with own class's texts", "saliency's sharpness", "epsilon that flips", "flipped"],
      rows,
    ),
    note(
      `${overImages(found)}, ${templates} templates. Medians, in brackets the ${quantiles} quantiles. ` +
        "Sharpness is the Gini coefficient of the input gradient: 0 is even, 1 a single pixel. " +
        "Flipped: the share of images whose prediction PGD changed.",
    ),
    ...warnings.map(warning),
    ...templatesTable(encoders, cast),
    ...encoders.flatMap(({ encoder, nearest }) => nearestTable(nearest, cast.of(encoder).short)),
    ...synthesisTable(encoders, cast),
    ...(pictures.length === 0 ? [] : [subheading("Pictures"), grid(pictures.map((one) => figure(folder, one)))]),
  ];
}

function figure(folder: string, picture: Interpretability["pictures"][number]): string {
  return `<figure>${pictureOf(folder, picture)}<figcaption>${escapeHtml(picture.description)}</figcaption></figure>`;
}

function templatesTable(encoders: readonly InterpretabilityOf[], cast: Cast): readonly string[] {
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
  const names = encoders.map(({ encoder }) => cast.of(encoder).short);
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

function synthesisTable(encoders: readonly InterpretabilityOf[], cast: Cast): readonly string[] {
  const rows = encoders.flatMap(({ encoder, similarity, synthesis }) =>
    synthesis.map(({ towards, from, to }: Synthesis) => [
      towards,
      cast.of(encoder).short,
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
