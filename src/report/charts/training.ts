import type { StepMetrics } from "../../training/index.ts";
import type { ShownEncoder } from "../encoders.ts";
import { type Axis, chartFigure, lineSeries, type SeriesOption, xAxis, yAxis } from "./svg.ts";

export interface TrainingCurve {
  readonly encoder: ShownEncoder;
  readonly metrics: readonly StepMetrics[];
}

export interface TrainingChart {
  readonly title: string;
  readonly note: string;
  readonly y: Axis;
  /** Undefined where a run has no such thing. */
  readonly value: (metrics: StepMetrics) => number | undefined;
  /** Drawn dotted beside it. */
  readonly limit?: (metrics: StepMetrics) => number | undefined;
}

type Point = readonly [step: number, value: number];

/** Points that a line has at most. */
const most = 400;

/** Rows of the table in words. */
const rowsShown = 8;

/** Runs over each other: each batch faint, a running mean of a thirtieth of the run in full. Empty where no run has it. */
export function trainingFigure(
  runs: readonly TrainingCurve[],
  { title, note, y, value, limit }: TrainingChart,
): string {
  const lines = runs.flatMap(({ encoder, metrics }) => {
    const raw = pointsOf(metrics, value);
    if (raw.length === 0) return [];
    const limits = limit ? pointsOf(metrics, limit) : [];
    return [{ encoder, raw, mean: runningMean(raw), limits: runningMean(limits) }];
  });
  if (lines.length === 0) return "";
  const last = Math.max(...lines.map(({ raw }) => raw.at(-1)![0]));
  const places = [
    ...new Set(Array.from({ length: rowsShown }, (_, i) => Math.max(1, Math.round(((i + 1) * last) / rowsShown)))),
  ];
  const at = (points: readonly Point[], step: number): string => {
    const point = points.findLast(([place]) => place <= step);
    return point && step <= points.at(-1)![0] ? shortNumber(point[1]) : "";
  };
  return chartFigure({
    ...{ title, note, width: 300, height: 210, level: 4 as const },
    option: {
      xAxis: xAxis({ name: "batches", min: 0, format: String }),
      yAxis: yAxis({ format: shortNumber, ...y }),
      series: lines.flatMap(({ encoder, raw, mean, limits }): SeriesOption[] => {
        const full = lineSeries(encoder.style, thinned(mean), false);
        const faint = lineSeries({ ...encoder.style, dash: [] }, thinned(raw), false);
        const dotted = lineSeries({ ...encoder.style, dash: [1, 4] }, thinned(limits), false);
        return [
          { ...faint, lineStyle: { ...faint.lineStyle, width: 1, opacity: 0.3 } },
          full,
          ...(limits.length > 0 ? [dotted] : []),
        ];
      }),
    },
    numbers: {
      header: [
        "batch",
        ...lines.flatMap(({ encoder, limits }) => [
          encoder.short,
          ...(limits.length > 0 ? [`${encoder.short}, limit`] : []),
        ]),
      ],
      rows: places.map((step) => [
        String(step),
        ...lines.flatMap(({ mean, limits }) => [at(mean, step), ...(limits.length > 0 ? [at(limits, step)] : [])]),
      ]),
    },
  });
}

function pointsOf(metrics: readonly StepMetrics[], value: TrainingChart["value"]): readonly Point[] {
  return metrics.flatMap((one) => {
    const found = value(one);
    // JSON has no number for what is not finite.
    return typeof found === "number" ? [[one.step, found] as const] : [];
  });
}

function runningMean(points: readonly Point[]): readonly Point[] {
  const window = Math.max(1, Math.round(points.length / 30));
  let sum = 0;
  return points.map(([step, value], i) => {
    sum += value - (i >= window ? points[i - window]![1] : 0);
    return [step, sum / Math.min(i + 1, window)];
  });
}

/** At most `most` points, each the mean of those it stands for. */
function thinned(points: readonly Point[]): readonly Point[] {
  const size = Math.ceil(points.length / most);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    const mean = (part: 0 | 1): number => group.reduce((sum, point) => sum + point[part], 0) / group.length;
    return [mean(0), Number(mean(1).toPrecision(5))];
  });
}

/** 0.0001 as 1e-4. */
export function shortNumber(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 0.001 || size >= 1e6
    ? value
        .toExponential(2)
        .replace(/\.?0+e/, "e")
        .replace("e+", "e")
    : String(Number(value.toPrecision(3)));
}
