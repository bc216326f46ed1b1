import type { InterpretabilityOf, NearestTexts, Spread } from "../results/index.ts";
import { percent, textTable } from "./table.ts";

/** Templates listed as the nearest and the farthest. */
const extremes = 3;

/** Encoders side by side, then for each the texts nearest to a few images. */
export function interpretabilityTables(encoders: readonly InterpretabilityOf[]): string {
  return [summary(encoders), ...templateTables(encoders), ...encoders.map(nearestTable)]
    .filter((table) => table !== undefined)
    .join("\n\n");
}

function summary(encoders: readonly InterpretabilityOf[]): string {
  const row = (title: string, value: (of: InterpretabilityOf) => string | undefined): readonly string[] => [
    title,
    ...encoders.map((of) => value(of) ?? "-"),
  ];
  const { upTo, resolution } = encoders[0]!.flip;
  const [low, high] = encoders[0]!.saliencySharpness.quantiles.map((share) => `${100 * share} %`);
  const range = ({ low, high }: Spread, digits: number): string => `${low.toFixed(digits)} ... ${high.toFixed(digits)}`;
  const rows = [
    ...(encoders.some(({ alignment }) => alignment)
      ? [
          row("alignment with own texts, mean cosine", ({ alignment }) => alignment?.mean.toFixed(3)),
          row(`  ${low} ... ${high}`, ({ alignment }) => alignment && range(alignment, 3)),
        ]
      : []),
    row("saliency sharpness, mean Gini", ({ saliencySharpness }) => saliencySharpness.mean.toFixed(3)),
    row(`  ${low} ... ${high}`, ({ saliencySharpness }) => range(saliencySharpness, 3)),
    row("flip: median epsilon of PGD", ({ flip }) => flip.epsilon && levels(flip.epsilon.median)),
    row(`  images flipped up to ${levels(upTo)}`, ({ flip }) => percent(flip.share)),
    ...encoders[0]!.synthesis.map(({ towards }, i) =>
      row(`synthesis, ${towards}`, ({ synthesis, similarity }) => {
        const { from, to } = synthesis[i]!;
        const digits = similarity === "cosine" ? 3 : 1;
        return `${from.toFixed(digits)} -> ${to.toFixed(digits)}`;
      }),
    ),
  ];
  return `${textTable(["", ...encoders.map(({ encoder }) => encoder)], rows)}\n(epsilons exact to ${levels(resolution)})`;
}

/** In 255ths, rounded. */
export function levels(epsilon: number): string {
  return `${Number((255 * epsilon).toFixed(2))}/255`;
}

/** The templates that are nearest to and farthest from the first encoder's images. */
function templateTables(encoders: readonly InterpretabilityOf[]): readonly string[] {
  const all = encoders.find(({ alignmentByTemplate }) => alignmentByTemplate)?.alignmentByTemplate;
  if (!all || all.length < 2) return [];
  const sorted = all.map((one, t) => ({ ...one, t })).sort((a, b) => b.cosine - a.cosine);
  const shown = sorted.length > 2 * extremes ? [...sorted.slice(0, extremes), ...sorted.slice(-extremes)] : sorted;
  const rows = shown.map(({ template, t }) => [
    template,
    ...encoders.map(({ alignmentByTemplate }) => alignmentByTemplate?.[t]?.cosine.toFixed(3) ?? "-"),
  ]);
  return [textTable(["nearest and farthest templates", ...encoders.map(({ encoder }) => encoder)], rows)];
}

function nearestTable({ encoder, nearest }: InterpretabilityOf): string | undefined {
  if (nearest.length === 0) return undefined;
  const rows = nearest.map(({ image, texts }: NearestTexts) => [
    image,
    ...texts.map(({ text, cosine }) => `${text} ${cosine.toFixed(2)}`),
  ]);
  const most = Math.max(...nearest.map(({ texts }) => texts.length));
  return textTable([`nearest texts, ${encoder}`, ...Array.from({ length: most }, (_, i) => `${i + 1}.`)], rows);
}
