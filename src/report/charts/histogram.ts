import type { ShownEncoder } from "../encoders.ts";
import { percent } from "../table.ts";
import { chartFigure, inPercent, lineSeries, xAxis, yAxis } from "./svg.ts";

export interface Histogram {
  readonly title: string;
  readonly note: string;
  readonly name: string;
  readonly encoders: readonly {
    readonly encoder: ShownEncoder;
    /** `counts[i]` lie in [edges[i], edges[i + 1]), the last edge is open-ended. */
    readonly edges: readonly number[];
    readonly counts: readonly number[];
  }[];
}

/** Shares of images by value, a stepped line an encoder, with a mark at 1. */
export function histogramFigure({ title, note, name, encoders }: Histogram): string {
  const edges = [...new Set(encoders.flatMap((one) => one.edges))].sort((a, b) => a - b);
  const width = edges.length > 1 ? edges.at(-1)! - edges.at(-2)! : 1;
  const shares = encoders.map(({ counts }) => {
    const total = counts.reduce((sum, count) => sum + count, 0) || 1;
    return counts.map((count) => count / total);
  });
  const tidy = (value: number): string => String(Number(value.toPrecision(4)));
  return chartFigure({
    title,
    note,
    option: {
      xAxis: xAxis({ name, min: edges[0] ?? 0, max: (edges.at(-1) ?? 0) + width, format: tidy }),
      yAxis: yAxis({ name: "images, %", min: 0, ...upTo(100 * Math.max(...shares.flat())) }),
      series: encoders.map(({ encoder, edges: own }, i) => {
        const points = own.map((edge, j) => [edge, inPercent(shares[i]![j] ?? 0)] as const);
        const end = [(own.at(-1) ?? 0) + width, points.at(-1)?.[1] ?? 0] as const;
        return {
          ...lineSeries(encoder.style, [...points, end], false),
          step: "end" as const,
          ...(i === 0 && {
            markLine: {
              silent: true,
              symbol: "none",
              data: [{ xAxis: 1 }],
              label: { formatter: "allowed", color: "var(--ink)", fontSize: 13 },
              lineStyle: { color: "var(--ink)", type: "solid" as const, width: 1 },
            },
          }),
        };
      }),
    },
    numbers: {
      header: [name, ...encoders.map(({ encoder }) => encoder.short)],
      rows: edges.map((edge, i) => [
        i === edges.length - 1 ? `from ${tidy(edge)}` : `${tidy(edge)} to ${tidy(edges[i + 1]!)}`,
        ...encoders.map((one, j) => {
          const at = one.edges.indexOf(edge);
          return at < 0 ? "" : percent(shares[j]![at] ?? 0);
        }),
      ]),
    },
  });
}

/** An axis that ends on a line, and has two to six of them. */
function upTo(percent: number): { readonly max: number; readonly interval: number } {
  const interval = percent > 50 ? 20 : 10;
  return { max: interval * Math.max(2, Math.ceil(percent / interval)), interval };
}
