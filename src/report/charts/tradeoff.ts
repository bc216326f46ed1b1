import { wilson } from "../../statistics.ts";
import type { ShownEncoder } from "../encoders.ts";
import { percentWithin } from "../table.ts";
import { apart } from "./labels.ts";
import { chartFigure, inPercent, type SeriesOption, whiskers, xAxis, yAxis } from "./svg.ts";

export interface TradeoffPoint {
  readonly encoder: ShownEncoder;
  /** From 0 to 1. */
  readonly clean: number;
  readonly robust: number;
}

export interface BlendPoint {
  readonly weight: number;
  readonly clean: number;
  readonly robust: number;
}

/** A line of blends between the original and a robust encoder. */
export interface BlendLine {
  readonly name: string;
  readonly images: number;
  /** By weight. */
  readonly points: readonly BlendPoint[];
}

export interface TradeoffChart {
  readonly title: string;
  readonly note: string;
  /** "PGD-20 at ±2/255" */
  readonly attack: string;
  readonly images: number;
  readonly points: readonly TradeoffPoint[];
  readonly blends: readonly BlendLine[];
}

const size = { width: 540, height: 360 };
const margins = { left: 44, right: 146, top: 34, bottom: 46 };

/** Clean against robust accuracy: a point an encoder with the 95 % intervals of both as a crosshair, and lines of blends. */
export function tradeoffFigure({ title, note, attack, images, points, blends }: TradeoffChart): string {
  const all = [...points, ...blends.flatMap((line) => line.points)];
  const spans = points.flatMap(({ clean, robust }) => [wilson(clean, images), wilson(robust, images)]);
  const [left, right] = padded([...all.map(({ clean }) => 100 * clean), ...spansOf(spans, 0)]);
  const [low, high] = padded([...all.map(({ robust }) => 100 * robust), ...spansOf(spans, 1)]);
  const height = size.height - margins.top - margins.bottom;
  const shifts = apart(
    points.map(({ robust }) => (height * (high - 100 * robust)) / (high - low)),
    17,
  );
  return chartFigure({
    ...{ title, note, ...size },
    option: {
      grid: margins,
      xAxis: xAxis({ name: "clean accuracy, %", min: left, max: right, interval: tick(right - left) }),
      yAxis: yAxis({ name: `accuracy under ${attack}, %`, min: low, max: high, interval: tick(high - low) }),
      series: [
        ...points.map(({ encoder, clean, robust }, i) => ({
          type: "scatter" as const,
          data: [[inPercent(clean), inPercent(robust)]],
          ...{ symbol: encoder.style.symbol, symbolSize: 13, silent: true, z: 4 },
          itemStyle: { color: encoder.style.colour, opacity: 1 },
          label: {
            show: true,
            position: "right" as const,
            offset: [2, shifts[i]! - 9],
            formatter: () => (encoder.short.length > 18 ? `${encoder.short.slice(0, 17)}…` : encoder.short),
            ...{ color: "var(--ink)", textBorderColor: "var(--ground)", textBorderWidth: 4, fontSize: 14 },
          },
        })),
        ...points.flatMap(({ encoder, clean, robust }): SeriesOption[] => {
          const [x, y] = [wilson(clean, images), wilson(robust, images)];
          return [
            whiskers(encoder.style, "x", [{ at: inPercent(robust), low: inPercent(x.low), high: inPercent(x.high) }]),
            whiskers(encoder.style, "y", [{ at: inPercent(clean), low: inPercent(y.low), high: inPercent(y.high) }]),
          ];
        }),
        ...blends.map(
          (line): SeriesOption => ({
            type: "line",
            data: line.points.map(({ clean, robust, weight }) => ({
              value: [inPercent(clean), inPercent(robust)],
              label: { show: weight > 0 && weight < 1, formatter: () => String(weight) },
            })),
            ...{ symbol: "circle", symbolSize: 5, silent: true, z: 2 },
            label: { position: "bottom", color: "var(--muted)", fontSize: 12 },
            lineStyle: { color: "var(--muted)", width: 1.5, type: [5, 4] },
            itemStyle: { color: "var(--muted)" },
          }),
        ),
      ],
    },
    label: (series) => {
      const point = points[series];
      return (
        point &&
        `${point.encoder.short}: clean ${percentWithin(point.clean, images)}, ${attack} ${percentWithin(point.robust, images)}`
      );
    },
    numbers: {
      header: ["encoder", "clean", attack],
      rows: [
        ...points.map(({ encoder, clean, robust }) => [
          encoder.short,
          percentWithin(clean, images),
          percentWithin(robust, images),
        ]),
        ...blends.flatMap((line) =>
          line.points.map(({ weight, clean, robust }) => [
            `${line.name}, weight ${weight}`,
            percentWithin(clean, line.images),
            percentWithin(robust, line.images),
          ]),
        ),
      ],
    },
  });
}

/** Ends in percent of the intervals of x (0) or of y (1), which alternate. */
function spansOf(spans: readonly { readonly low: number; readonly high: number }[], which: 0 | 1): readonly number[] {
  return spans.filter((_, i) => i % 2 === which).flatMap(({ low, high }) => [100 * low, 100 * high]);
}

/** Percent between lines of an axis. */
function tick(range: number): number {
  return range > 50 ? 20 : 10;
}

/** Ends of an axis around values in percent, on lines of it. */
export function padded(values: readonly number[]): readonly [number, number] {
  const [least, most] = [Math.min(...values) - 1, Math.max(...values) + 1];
  const step = tick(Math.ceil(most / 10) * 10 - Math.floor(least / 10) * 10);
  return [Math.max(Math.floor(least / step) * step, 0), Math.min(Math.ceil(most / step) * step, 100)];
}
