import type { ShownEncoder } from "../encoders.ts";
import { points } from "../table.ts";
import { chartFigure, type SeriesOption, xAxis } from "./svg.ts";

export interface DifferenceChart {
  readonly title: string;
  readonly note: string;
  /** As they stand below each other. */
  readonly names: readonly string[];
  /** Differences of accuracies from -1 to 1, one a name. */
  readonly encoders: readonly { readonly encoder: ShownEncoder; readonly differences: readonly number[] }[];
  /** Differences up to this size may be chance. */
  readonly noise: number;
}

/** A row a name, a symbol an encoder: how far its accuracy is from the original's; what may be chance lies on a band. */
export function differencesFigure({ title, note, names, encoders, noise }: DifferenceChart): string {
  const all = encoders.flatMap(({ differences }) => differences.map((one) => 100 * one));
  const ends = [Math.min(-5, -100 * noise, ...all), Math.max(5, 100 * noise, ...all)] as const;
  const [min, max] = [Math.floor((ends[0] - 1) / 10) * 10, Math.ceil((ends[1] + 1) / 10) * 10];
  return chartFigure({
    ...{ title, note, width: 520, height: 21 * names.length + 74 },
    option: {
      grid: { left: 142, right: 22, top: 8, bottom: 46 },
      xAxis: {
        ...xAxis({
          name: "points of accuracy against the original",
          min,
          max,
          format: (value) => (value > 0 ? `+${value}` : String(value)),
        }),
        splitLine: { show: true, lineStyle: { color: "var(--rule)" } },
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: names.map((name) => name.replaceAll("_", " ")),
        axisLine: { show: false },
        axisTick: { show: false },
        splitLine: { show: false },
        axisLabel: { color: "var(--ink)", fontSize: 14, interval: 0 },
      },
      series: encoders.map(
        ({ encoder, differences }, i): SeriesOption => ({
          type: "scatter",
          data: differences.map((one, row) => [Number((100 * one).toFixed(2)), row]),
          ...{ symbol: encoder.style.symbol, symbolSize: 11, silent: true },
          itemStyle: { color: encoder.style.colour, opacity: 1 },
          ...(i === 0 && {
            markArea: {
              silent: true,
              itemStyle: { color: "var(--muted)", opacity: 0.16 },
              data: [[{ xAxis: -100 * noise }, { xAxis: 100 * noise }]],
            },
            markLine: {
              silent: true,
              symbol: "none",
              label: { show: false },
              data: [{ xAxis: 0 }],
              lineStyle: { color: "var(--ink)", type: "solid", width: 1 },
            },
          }),
        }),
      ),
    },
    label: (series, index) => {
      const found = encoders[series];
      return found && `${found.encoder.short}, ${names[index]}: ${points(found.differences[index]!)}`;
    },
  });
}
