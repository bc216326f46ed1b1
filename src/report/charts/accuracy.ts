import { wilson } from "../../statistics.ts";
import type { ShownEncoder } from "../encoders.ts";
import { percentWithin } from "../table.ts";
import { apart } from "./labels.ts";
import { chartFigure, epsilonAxis, inPercent, lineSeries, percentAxis, whiskers, xAxis, yAxis } from "./svg.ts";

export interface AccuracyCurve {
  readonly encoder: ShownEncoder;
  /** Accuracies from 0 to 1 by epsilon, from the smallest; 0 is clean. */
  readonly points: readonly { readonly epsilon: number; readonly accuracy: number }[];
}

export interface AccuracyChart {
  readonly title: string;
  readonly note: string;
  readonly images: number;
  /** Accuracy of guessing. */
  readonly chance: number;
  readonly curves: readonly AccuracyCurve[];
}

const size = { width: 520, height: 330 };
const margins = { left: 44, right: 128, top: 34, bottom: 46 };

/** Accuracy against epsilon: a line an encoder with 95 % intervals and its name at its end, and what guessing reaches. */
export function accuracyFigure({ title, note, images, chance, curves }: AccuracyChart): string {
  const sizes = [...new Set(curves.flatMap(({ points }) => points.map(({ epsilon }) => epsilon)))].sort(
    (a, b) => a - b,
  );
  const axis = epsilonAxis("size of the perturbation (epsilon)", sizes);
  const height = size.height - margins.top - margins.bottom;
  const ends = curves.map(({ points }) => height * (1 - points.at(-1)!.accuracy));
  const shifts = apart(ends, 16);
  return chartFigure({
    ...{ title, note, ...size },
    option: {
      grid: margins,
      xAxis: xAxis(axis),
      yAxis: yAxis(percentAxis),
      series: [
        ...curves.map(({ encoder, points }, i) => {
          const line = lineSeries(
            encoder.style,
            points.map(({ epsilon, accuracy }) => [epsilon, inPercent(accuracy)]),
          );
          const last = points.length - 1;
          return {
            ...line,
            z: 3,
            data: points.map(({ epsilon, accuracy }, j) => ({
              value: [epsilon, inPercent(accuracy)],
              ...(j === last && { label: nameLabel(encoder.short, shifts[i]!) }),
            })),
            ...(i === 0 && { markLine: chanceLine(chance) }),
          };
        }),
        ...curves.map(({ encoder, points }, i) =>
          whiskers(
            encoder.style,
            "y",
            points.map(({ epsilon, accuracy }) => {
              const { low, high } = wilson(accuracy, images);
              return { at: epsilon, low: inPercent(low), high: inPercent(high) };
            }),
            3 * (i - (curves.length - 1) / 2),
          ),
        ),
      ],
    },
    label: (series, index) => {
      const curve = curves[series];
      const point = curve?.points[index];
      return (
        point && `${curve.encoder.short}, ${axis.format!(point.epsilon)}: ${percentWithin(point.accuracy, images)}`
      );
    },
    numbers: {
      header: ["epsilon", ...curves.map(({ encoder }) => encoder.short)],
      rows: sizes.map((at) => [
        at === 0 ? "0 (clean)" : axis.format!(at),
        ...curves.map(({ points }) => {
          const point = points.find(({ epsilon }) => epsilon === at);
          return point ? percentWithin(point.accuracy, images) : "-";
        }),
      ]),
    },
  });
}

function nameLabel(name: string, shift: number) {
  return {
    show: true,
    position: "right" as const,
    offset: [4, shift],
    formatter: () => (name.length > 18 ? `${name.slice(0, 17)}…` : name),
    color: "var(--ink)",
    textBorderColor: "var(--ground)",
    textBorderWidth: 4,
    fontSize: 14,
  };
}

function chanceLine(chance: number) {
  return {
    silent: true,
    symbol: "none",
    data: [{ yAxis: inPercent(chance) }],
    label: {
      formatter: `guessing ${Number((100 * chance).toPrecision(2))} %`,
      position: "insideStartTop" as const,
      color: "var(--muted)",
      fontSize: 13,
    },
    lineStyle: { color: "var(--muted)", type: [2, 4], width: 1.5 },
  };
}
