import type { AttackResult } from "../../results/index.ts";
import { type AccuracyGroup, attacksIn, chance, overWhat } from "../accuracies.ts";
import { attackWithBound, isNoise } from "../attack-words.ts";
import { type AccuracyChart, accuracyFigure, accuracyNumbers } from "../charts/accuracy.ts";
import type { Base } from "../encoders.ts";
import { details, grid, htmlTable, type Part, warning } from "../page.ts";
import { evaluationsOf, headlineOf, type ReportView } from "../view.ts";

/** Accuracy over epsilon: one chart a base; other attacks and data sets below, folded. */
export function curvesPart(view: ReportView): Part {
  const { encoders, groups } = view;
  const charts = encoders.bases.map((base) => {
    const headline = headlineOf(base, view);
    const all = groups
      .filter(({ ofSuite }) => !ofSuite || headline?.group.ofSuite)
      .flatMap((group) => chartsOf(base, group, view));
    const isFirst = ({ group, attack }: Drawn): boolean =>
      group === headline?.group && attack.attack === headline.attack.attack && attack.norm === headline.attack.norm;
    return { first: all.filter(isFirst), others: all.filter((one) => !isFirst(one) && !one.group.ofSuite) };
  });
  const first = charts.flatMap((one) => one.first);
  const others = charts.flatMap((one) => one.others);
  if (first.length + others.length === 0) return { heading: "", link: "", content: [] };
  return {
    heading: "Accuracy over the size of the perturbation",
    link: "Chart",
    lead: "Epsilon is how far each pixel may be moved; 0 is the clean image. Whiskers are 95 % intervals: what so few images leave open. Below the dotted line, guessing would do better.",
    content: [
      grid(first.length === 1 ? besideNumbers(first[0]!.chart) : first.map(({ chart }) => accuracyFigure(chart))),
      ...warnings(view),
      ...(others.length === 0
        ? []
        : [
            details(
              `Other attacks and data sets (${others.length})`,
              grid(others.map(({ chart }) => accuracyFigure(chart))),
            ),
          ]),
    ],
  };
}

interface Drawn {
  readonly group: AccuracyGroup;
  readonly attack: AttackResult;
  readonly chart: AccuracyChart;
}

/** One chart has the place for its numbers beside it. */
function besideNumbers(chart: AccuracyChart): readonly string[] {
  const { header, rows } = accuracyNumbers(chart);
  // Encoders in rows: there are more of them than sizes, or their names are longer.
  const turned = header.slice(1).map((name, i) => [name, ...rows.map((row) => row[i + 1]!)]);
  const sizes = rows.map(([size]) => size!);
  return [accuracyFigure({ ...chart, withNumbers: false }), htmlTable(["epsilon", ...sizes], turned)];
}

function chartsOf(base: Base, group: AccuracyGroup, view: ReportView): readonly Drawn[] {
  const own = evaluationsOf(base, group, view.encoders);
  const attacks = attacksIn(own);
  const kinds = new Map(attacks.map((one) => [JSON.stringify([one.attack, one.norm]), one]));
  return [...kinds.values()].map((attack) => {
    const curves = own.flatMap(({ encoder, clean, attacks }) => {
      const measured = attacks
        .filter((one) => one.attack === attack.attack && one.norm === attack.norm && one.epsilon > 0)
        .toSorted((a, b) => a.epsilon - b.epsilon);
      return measured.length === 0
        ? []
        : [{ encoder: view.encoders.of(encoder), points: [{ epsilon: 0, accuracy: clean }, ...measured] }];
    });
    const norm = attack.norm === "linf" || attack.norm === "none" ? "" : ` (${attack.norm})`;
    const words = attackWithBound(attack.attack, group.settings);
    return {
      ...{ group, attack },
      chart: {
        title: `${base.original.short}: ${isNoise(attack.attack) ? words : `under ${words}`}${norm}`,
        note: `${overWhat(group)}.`,
        ...{ images: group.images, chance: chance(group), curves },
      },
    };
  });
}

function warnings({ groups, encoders }: ReportView): readonly string[] {
  return [
    ...new Set(
      groups.flatMap(({ evaluations, short }) =>
        evaluations.flatMap(({ encoder, warnings }) =>
          warnings.map((text) => warning(`${encoders.of(encoder).short} on ${short}: ${text}`)),
        ),
      ),
    ),
  ];
}
