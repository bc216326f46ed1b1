import {
  CustomChart,
  type CustomSeriesOption,
  LineChart,
  type LineSeriesOption,
  ScatterChart,
  type ScatterSeriesOption,
} from "echarts/charts";
import { GridComponent, type GridComponentOption, MarkAreaComponent, MarkLineComponent } from "echarts/components";
import { type ComposeOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { formatEpsilon } from "../../epsilon.ts";
import type { Style } from "../encoders.ts";
import { details, escapeHtml, htmlTable } from "../page.ts";
import { paperColours } from "../style.ts";

use([CustomChart, LineChart, ScatterChart, GridComponent, MarkAreaComponent, MarkLineComponent, SVGRenderer]);

export type SeriesOption = LineSeriesOption | CustomSeriesOption | ScatterSeriesOption;
type ChartOption = ComposeOption<SeriesOption | GridComponentOption>;

/** Figures that a chart draws. */
export interface Numbers {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Chart {
  readonly title: string;
  /** Images and data set behind it; shown below. */
  readonly note: string;
  readonly option: ChartOption;
  /** Text of a point or bar when pointed at, by its place in the series. */
  readonly label?: (series: number, index: number) => string | undefined;
  /** The chart's equivalent in text; absent where a table beside it holds them. */
  readonly numbers?: Numbers;
  /** Units of the picture, which is scaled to its place; text is 14 of them high. Default `chartSize`. */
  readonly width?: number;
  readonly height?: number;
  /** Depth of its heading. Default 3. */
  readonly level?: 3 | 4;
}

/** A figure: title, picture, what it is over, and the numbers for those who do not see it. */
export function chartFigure(chart: Chart): string {
  const { title, note, numbers, level = 3 } = chart;
  return [
    "<figure>",
    `<h${level}>${escapeHtml(title)}</h${level}>`,
    svg(chart),
    `<figcaption>${escapeHtml(note)}</figcaption>`,
    ...(numbers ? [details("Numbers of this chart", htmlTable(numbers.header, numbers.rows))] : []),
    "</figure>",
  ].join("\n");
}

/** Default size, with the room between the axes and the edges. */
const chartSize = { width: 440, height: 290 } as const;
const chartMargins = { left: 50, right: 22, top: 34, bottom: 46 } as const;

let drawn = 0;

function svg({ title, note, option, label, width = chartSize.width, height = chartSize.height }: Chart): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: "system-ui, sans-serif", fontSize: 14 },
      grid: chartMargins,
      ...option,
    });
    const prefix = `chart${drawn++}-`;
    return (
      chart
        .renderToSVGString()
        // What only a live chart needs; its style sheet would be the whole page's.
        .replace(/<style\s*>[\s\S]*?<\/style>/g, "")
        .replace(/ class="zr[^"]*"| pointer-events="visible"| xmlns:xlink="[^"]*"| baseProfile="full"/g, "")
        .replace(/zr\d+-/g, prefix)
        .replace(/<svg /, `<svg role="img" aria-label="${escapeHtml(`${title}. ${note}`)}" `)
        .replace(
          / ecmeta_series_index="(\d+)"(?: ecmeta_data_index="(\d+)")?( ecmeta_[a-z_]+="[^"]*")*([^>]*)>/g,
          (_, series: string, index: string | undefined, _last: unknown, rest: string) => {
            const text = index === undefined ? undefined : label?.(Number(series), Number(index));
            return `${rest}>${text === undefined ? "" : `<title>${escapeHtml(text)}</title>`}`;
          },
        )
    );
  } finally {
    chart.dispose();
  }
}

/** The picture alone, as a file of its own: in the colours of paper. */
export function chartFile(chart: Chart): string {
  return svg(chart)
    .replaceAll(/var\((--\w+)\)/g, (variable, name: string) => paperColours.get(name) ?? variable)
    .replace(/(<svg [^>]*>)/, '$1<rect width="100%" height="100%" fill="#fff"/>');
}

export interface Axis {
  readonly name?: string;
  /** Ticks are at its multiples. */
  readonly interval?: number;
  readonly min?: number;
  readonly max?: number;
  readonly format?: (value: number) => string;
}

const line = { lineStyle: { color: "var(--rule)" } };
const text = { color: "var(--muted)", fontSize: 14 };

/** An axis below; its name stands under it. */
export function xAxis({ name, interval, min, max, format }: Axis) {
  return {
    type: "value" as const,
    nameLocation: "middle" as const,
    nameGap: 26,
    nameTextStyle: text,
    axisLine: { show: true, ...line },
    axisTick: { show: true, ...line },
    splitLine: { show: false },
    splitNumber: 4,
    axisLabel: { ...text, hideOverlap: true, ...(format && { formatter: format }) },
    ...(name !== undefined && { name }),
    ...(interval !== undefined && { interval }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
  };
}

/** An axis to the left; its name stands on top. */
export function yAxis({ name, interval, min, max, format }: Axis) {
  return {
    type: "value" as const,
    nameLocation: "end" as const,
    nameGap: 12,
    nameTextStyle: { ...text, align: "left" as const, padding: [0, 0, 0, -40] },
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { show: true, ...line },
    splitNumber: 4,
    axisLabel: { ...text, hideOverlap: true, ...(format && { formatter: format }) },
    ...(name !== undefined && { name }),
    ...(interval !== undefined && { interval }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
  };
}

/** Accuracies from none to all. */
export const percentAxis: Axis = { name: "accuracy, %", min: 0, max: 100, interval: 20 };

/** Sizes of perturbations from 0, in 255ths as images have them. */
export function epsilonAxis(name: string, sizes: readonly number[]): Axis {
  const levels = 255 * Math.max(1 / 2550, ...sizes);
  const step = [0.1, 0.25, 0.5, 1, 2, 4, 5, 8, 16, 32, 64].find((one) => levels / one <= 5) ?? 128;
  // At larger sizes, of l2 balls for example, 255ths say nothing.
  if (levels > 255) return { name, min: 0, format: formatEpsilon };
  return {
    name,
    min: 0,
    max: (Math.ceil(levels / step - 1e-6) * step) / 255,
    interval: step / 255,
    format: formatEpsilon,
  };
}

/** Points joined by a line, as an encoder looks. */
export function lineSeries(
  style: Style,
  data: readonly (readonly [number, number])[],
  symbols = true,
): LineSeriesOption {
  return {
    type: "line",
    data: data.map((point) => [...point]),
    showSymbol: symbols,
    symbol: style.symbol,
    symbolSize: 9,
    silent: true,
    lineStyle: { color: style.colour, width: 2, type: style.dash.length > 0 ? [...style.dash] : "solid" },
    itemStyle: { color: style.colour },
  };
}

/**
 * Whiskers through points, as an encoder looks: each from `low` to `high` along an axis. They stand beside each other by
 * `shift` units of the picture, so that none hides another.
 */
export function whiskers(
  { colour }: Style,
  along: "x" | "y",
  data: readonly { readonly at: number; readonly low: number; readonly high: number }[],
  shift = 0,
): CustomSeriesOption {
  return {
    type: "custom",
    silent: true,
    z: 1,
    data: data.map(({ at, low, high }) => [at, low, high]),
    renderItem: (_, api) => {
      const [at, low, high] = [0, 1, 2].map((i) => Number(api.value(i))) as [number, number, number];
      const ends = [low, high].map((end) => api.coord(along === "x" ? [end, at] : [at, end])) as [Place, Place];
      const moved = ends.map(([x, y]): Place => (along === "x" ? [x, y + shift] : [x + shift, y])) as [Place, Place];
      const cap = ([x, y]: Place) =>
        along === "x" ? { x1: x, x2: x, y1: y - 3, y2: y + 3 } : { x1: x - 3, x2: x + 3, y1: y, y2: y };
      const [[x1, y1], [x2, y2]] = moved;
      const style = { stroke: colour, lineWidth: 1.5, opacity: 0.75 };
      const children = [{ x1, y1, x2, y2 }, ...moved.map(cap)].map((shape) => ({
        type: "line" as const,
        shape,
        style,
      }));
      return { type: "group", children };
    },
  };
}

type Place = [x: number, y: number];

/** Which line and symbol is whose, beside the charts that share it. */
export function legend(entries: readonly { readonly name: string; readonly style: Style }[]): string {
  const items = entries.map(({ name, style }) => `<li>${swatch(style)}<span>${escapeHtml(name)}</span></li>`);
  return `<ul class="legend" aria-label="Legend">${items.join("")}</ul>`;
}

export function swatch({ colour, dash, symbol }: Style): string {
  const dashes = dash.length > 0 ? ` stroke-dasharray="${dash.join(" ")}"` : "";
  return (
    `<svg width="36" height="14" viewBox="0 0 36 14" aria-hidden="true"><path d="M0 7H36" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>` +
    `<path d="${outline(symbol)}" transform="translate(12 1)" fill="${colour}"/></svg>`
  );
}

/** A symbol 12 units wide and high. */
function outline(symbol: string): string {
  switch (symbol) {
    case "circle":
      return "M0 6A6 6 0 1 1 12 6A6 6 0 1 1 0 6Z";
    case "rect":
      return "M1 1H11V11H1Z";
    case "triangle":
      return "M6 0L12 12H0Z";
    case "diamond":
      return "M6 0L12 6L6 12L0 6Z";
    default:
      return symbol.replace("path://", "");
  }
}

/** 0.4213 as 42.13: charts show percents, rounded so far that nobody sees it. */
export function inPercent(share: number): number {
  return Number((100 * share).toFixed(3));
}
