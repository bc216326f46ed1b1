import { formatEpsilon } from "../../epsilon.ts";
import { wilson } from "../../statistics.ts";
import { markOf, type ShownEncoder } from "../encoders.ts";
import { percentWithin } from "../table.ts";
import { apart } from "./labels.ts";
import {
  chartFigure,
  epsilonAxis,
  inPercent,
  lineSeries,
  type Numbers,
  percentAxis,
  whiskers,
  xAxis,
  yAxis,
} from "./svg.ts";

export interface AccuracyCurve {
  readonly encoder: ShownEncoder;
  /** Accuracies from 0 to 1 by epsilon, from the smallest; 0 is clean. */
  readonly points: readonly { readonly epsilon: number; readonly accuracy: number }[];
}

export interface AccuracyChart {
  /** Whether its numbers are folded below it. Default true. */
  readonly withNumbers?: boolean;
  readonly title: string;
  readonly note: string;
  readonly images: number;
  /** Accuracy of guessing. */
  readonly chance: number;
  readonly curves: readonly AccuracyCurve[];
}

const size = { width: 540, height: 330 };
const margins = { left: 44, right: 146, top: 34, bottom: 46 };

/** Accuracy against epsilon: a line an encoder with 95 % intervals and its name at its end, and what guessing reaches. */
export function accuracyFigure(chart: AccuracyChart): string {
  const { title, note, images, chance, curves, withNumbers = true } = chart;
  const sizes = [...new Set(curves.flatMap(({ points }) => points.map(({ epsilon }) => epsilon)))].sort(
    (a, b) => a - b,
  );
  const axis = epsilonAxis("size of the perturbation (epsilon)", sizes);
  const height = size.height - margins.top - margins.bottom;
  const ends = [...curves.map(({ points }) => points.at(-1)!.accuracy), chance].map((share) => height * (1 - share));
  // Labels end above those of the axis.
  const shifts = apart(ends, 17, height - 6);
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
              ...(j === last && { label: endLabel(encoder.short, shifts[i]!, encoder) }),
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
        {
          type: "scatter",
          data: [[axis.max ?? sizes.at(-1)!, inPercent(chance)]],
          ...{ symbolSize: 0.1, silent: true },
          label: endLabel(`guessing ${Number((100 * chance).toPrecision(2))} %`, shifts.at(-1)!),
        },
      ],
    },
    label: (series, index) => {
      const curve = curves[series];
      const point = curve?.points[index];
      return (
        point && `${curve.encoder.short}, ${axis.format!(point.epsilon)}: ${percentWithin(point.accuracy, images)}`
      );
    },
    ...(withNumbers && { numbers: accuracyNumbers(chart) }),
  });
}

/** Accuracies with their intervals, a row a size and a column an encoder. */
export function accuracyNumbers({ images, curves }: AccuracyChart): Numbers {
  const sizes = [...new Set(curves.flatMap(({ points }) => points.map(({ epsilon }) => epsilon)))];
  return {
    header: ["epsilon", ...curves.map(({ encoder }) => encoder.short)],
    rows: sizes
      .sort((a, b) => a - b)
      .map((at) => [
        at === 0 ? "0 (clean)" : formatEpsilon(at),
        ...curves.map(({ points }) => {
          const point = points.find(({ epsilon }) => epsilon === at);
          return point ? percentWithin(point.accuracy, images) : "-";
        }),
      ]),
  };
}

/** A name at the end of a line, behind the mark of its encoder. */
function endLabel(name: string, shift: number, encoder?: ShownEncoder) {
  const text = name.length > 17 ? `${name.slice(0, 16)}…` : name;
  return {
    show: true,
    position: "right" as const,
    offset: [4, shift],
    formatter: () => (encoder ? `{mark|${markOf(encoder.style)}} ${text}` : text),
    rich: { mark: { color: encoder?.style.colour ?? "var(--muted)", fontSize: 13 } },
    color: encoder ? "var(--ink)" : "var(--muted)",
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
    label: { show: false },
    lineStyle: { color: "var(--muted)", type: [2, 4], width: 1.5 },
  };
}
