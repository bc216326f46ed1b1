import type { Member } from "../legend.ts";
import { chartFigure, inPercent, percentAxis, xAxis } from "./svg.ts";

export interface CorruptionBars {
  readonly title: string;
  readonly note: string;
  /** As they stand below each other. */
  readonly corruptions: readonly string[];
  /** Accuracies from 0 to 1, one a corruption. */
  readonly encoders: readonly { readonly member: Member; readonly accuracies: readonly number[] }[];
}

/** A group of bars a corruption, a bar an encoder in the order of the legend. The table stands beside it. */
export function corruptionBarsFigure({ title, note, corruptions, encoders }: CorruptionBars): string {
  const bar = encoders.length > 1 ? 13 : 16;
  const shown = (accuracy: number): string => (100 * accuracy).toFixed(0);
  return chartFigure({
    title,
    note,
    tall: true,
    height: corruptions.length * (encoders.length * (bar + 1) + 9) + 70,
    option: {
      grid: { left: 132, right: 34, top: 8, bottom: 46 },
      xAxis: {
        ...xAxis(percentAxis),
        splitLine: { show: true, lineStyle: { color: "var(--rule)" } },
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: corruptions.map((name) => name.replaceAll("_", " ")),
        axisLine: { lineStyle: { color: "var(--rule)" } },
        axisTick: { show: false },
        axisLabel: { color: "var(--ink)", fontSize: 14, interval: 0 },
      },
      series: encoders.map(({ member, accuracies }) => ({
        type: "bar" as const,
        data: accuracies.map(inPercent),
        silent: true,
        barWidth: bar,
        barGap: "8%",
        itemStyle: { color: member.look.colour },
        label: {
          show: true,
          position: "right" as const,
          color: "var(--ink)",
          fontSize: 12,
          formatter: ({ dataIndex }: { readonly dataIndex: number }) => shown(accuracies[dataIndex]!),
        },
      })),
    },
    label: (series, index) =>
      `${encoders[series]!.member.short}, ${corruptions[index]}: ${(100 * encoders[series]!.accuracies[index]!).toFixed(1)} %`,
  });
}
