import { type EChartsOption, init } from "echarts";
import { axes, valueOn } from "./growth-points.ts";
import { boundsOf, type Growth, type MeasuredPoint } from "./growth-table.ts";

const column = { width: 250, gap: 70 };
const row = { height: 220, gap: 90 };
const margin = { left: 70, top: 90 };
const size = {
  width: margin.left + axes.length * (column.width + column.gap),
  height: margin.top + 2 * (row.height + row.gap),
};

/** Time and its bounds above, memory below, a column an axis, everything logarithmic: what is proportional has slope 1. */
export function growthOption({ memoryRate, points }: Growth): EChartsOption {
  const panels = axes.flatMap((axis, i) => {
    const measured = points.filter((one) => one.axis === axis);
    const line = (name: string, of: (one: MeasuredPoint) => number, type: "solid" | "dashed" | "dotted") => ({
      type: "line" as const,
      name,
      data: measured.map((one) => [valueOn(axis, one.point), of(one)]),
      lineStyle: { type },
    });
    const bounds = ({ result }: MeasuredPoint) => boundsOf(result, memoryRate);
    const times = [
      line("step", ({ result }) => result.seconds.median, "solid"),
      line("products alone", (one) => bounds(one).products, "dashed"),
      line("memory traffic, unfused", (one) => bounds(one).unfused, "dotted"),
      line("memory traffic, fused", (one) => bounds(one).fused, "dotted"),
    ];
    const memory = [line("peak memory", ({ result }) => result.peakMemoryBytes / 2 ** 20, "solid")];
    const left = margin.left + i * (column.width + column.gap);
    return [
      { name: axis, unit: "seconds", left, top: margin.top, series: times },
      { name: axis, unit: "MiB", left, top: margin.top + row.height + row.gap, series: memory },
    ];
  });
  const at = (i: number) => ({ xAxisIndex: i, yAxisIndex: i });
  return {
    animation: false,
    backgroundColor: "#fff",
    title: { text: "Cost of a training step of the small ViT", left: margin.left },
    // Text may be wider in the font that shows it than what ECharts reckons with.
    legend: { top: 35, left: margin.left, itemGap: 45 },
    grid: panels.map(({ left, top }) => ({ left, top, width: column.width, height: row.height })),
    xAxis: panels.map(({ name }, i) => ({ gridIndex: i, type: "log", name, nameLocation: "middle", nameGap: 28 })),
    yAxis: panels.map(({ unit }, i) => ({ gridIndex: i, type: "log", name: unit })),
    series: panels.flatMap(({ series }, i) => series.map((one) => ({ ...one, ...at(i) }))),
  };
}

/** The chart as SVG. */
export function growthChart(growth: Growth): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  chart.setOption(growthOption(growth));
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
