import type { FrontPoint } from "../../measure/tradeoff/index.ts";
import { attackTitle } from "../evaluation.ts";
import { percent } from "../table.ts";
import { type Chart, inPercent, xAxis, yAxis } from "./svg.ts";
import { padded } from "./tradeoff.ts";

/**
 * The trade-off along blends: clean accuracy against accuracy under the last attack, a point a weight. Without accuracies,
 * the share of behaviour kept against the weight.
 */
export function frontChart(points: readonly FrontPoint[], note: string): Chart {
  const attack = points[0]?.evaluation?.attacks.at(-1);
  const places = points.map(({ weight, kept, evaluation }) =>
    evaluation && attack
      ? { weight, x: evaluation.clean, y: evaluation.attacks.at(-1)!.accuracy }
      : { weight, x: weight, y: kept },
  );
  const [left, right] = padded(places.map(({ x }) => inPercent(x)));
  const under = attack && `accuracy under ${attackTitle(attack)}, %`;
  return {
    title: "Blends of the original and the robust encoder",
    note,
    width: 560,
    height: 380,
    option: {
      xAxis: xAxis({ name: under ? "clean accuracy, %" : "weight of the robust encoder, %", min: left, max: right }),
      yAxis: yAxis({ name: under ?? "behaviour kept, %", min: 0 }),
      series: [
        {
          type: "line",
          data: places.map(({ x, y }) => [inPercent(x), inPercent(y)]),
          symbol: "circle",
          symbolSize: 9,
          lineStyle: { color: "var(--c0)", width: 2 },
          itemStyle: { color: "var(--c0)" },
          label: {
            show: true,
            position: "top",
            formatter: ({ dataIndex }) => `weight ${places[dataIndex]!.weight}`,
            color: "var(--ink)",
            fontSize: 13,
          },
        },
      ],
    },
    label: (_, index) =>
      places[index] && `weight ${places[index].weight}: ${percent(places[index].x)}, ${percent(places[index].y)}`,
  };
}
