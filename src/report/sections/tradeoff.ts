import { overWhat, resultOf } from "../accuracies.ts";
import { attackWords, sizeWords } from "../attack-words.ts";
import { type BlendLine, tradeoffFigure } from "../charts/tradeoff.ts";
import { type Base, withoutFile } from "../encoders.ts";
import type { StoredFront } from "../input.ts";
import { grid, type Part } from "../page.ts";
import { evaluationsOf, type Headline, headlineOf, type ReportView } from "../view.ts";

/** The cost of robustness: clean against attacked accuracy, and the blends in between; one chart a base. */
export function tradeoffPart(view: ReportView): Part {
  const figures = view.encoders.bases.flatMap((base) => {
    const headline = headlineOf(base, view);
    return headline ? figure(base, headline, view) : [];
  });
  return {
    heading: "What robustness costs",
    link: "Trade-off",
    lead: "Up is more robust, right is more accurate on clean images. Crosses are 95 % intervals. A dashed line joins blends: weights between the original (0) and the trained encoder (1).",
    content: figures.length === 0 ? [] : [grid(figures)],
  };
}

function figure(base: Base, { group, attack }: Headline, view: ReportView): readonly string[] {
  const points = evaluationsOf(base, group, view.encoders).flatMap((evaluation) => {
    const result = resultOf(evaluation, attack);
    const encoder = view.encoders.of(evaluation.encoder);
    return result ? [{ encoder, clean: evaluation.clean, robust: result.accuracy }] : [];
  });
  if (points.length < 2) return [];
  const blends = view.input.fronts.flatMap((front) => blendLine(base, front, attack.epsilon, view));
  const others = blends.filter(({ images }) => images !== group.images);
  const words = `${attackWords(attack.attack, group.settings)} at ${sizeWords(attack)}`;
  const note = [
    `${overWhat(group)}.`,
    ...others.map(({ name, images }) => `Blends of ${name} were measured on ${images} images.`),
  ];
  return [
    tradeoffFigure({
      title: base.original.short,
      ...{ note: note.join(" "), attack: words, images: group.images, points, blends },
    }),
  ];
}

/** A front of this base, at the size that the chart is about. */
function blendLine(
  base: Base,
  { front: { original, robust, points } }: StoredFront,
  epsilon: number,
  { encoders }: ReportView,
): readonly BlendLine[] {
  if (original === undefined || encoders.of(original) !== base.original) return [];
  const found = points.flatMap(({ weight, evaluation }) => {
    const result = evaluation?.attacks.find((one) => Math.abs(one.epsilon - epsilon) < 1e-9);
    return evaluation && result ? [{ weight, clean: evaluation.clean, robust: result.accuracy }] : [];
  });
  const images = points[0]?.evaluation?.images;
  if (found.length < 2 || images === undefined) return [];
  const name = withoutFile(robust ?? "unknown")
    .split("/")
    .at(-1)!;
  return [{ name, images, points: found.toSorted((a, b) => a.weight - b.weight) }];
}
