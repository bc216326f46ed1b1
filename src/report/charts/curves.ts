import type { Member } from "../legend.ts";
import { type Axis, chartFigure, lineSeries, xAxis, yAxis } from "./svg.ts";

export interface Curve {
  readonly member: Member;
  /** In the order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Curves {
  readonly title: string;
  readonly note: string;
  readonly x: Axis;
  readonly y: Axis;
  /** How a value of y reads in the table. */
  readonly shown: (y: number) => string;
  readonly curves: readonly Curve[];
  /** Without a table of its own, and small. */
  readonly small?: boolean;
}

/** A line an encoder. */
export function curvesFigure({ title, note, x, y, shown, curves, small = false }: Curves): string {
  const places = [...new Set(curves.flatMap(({ points }) => points.map(([place]) => place)))].sort((a, b) => a - b);
  const format = x.format ?? String;
  return chartFigure({
    title,
    note,
    option: {
      xAxis: xAxis(x),
      yAxis: yAxis(y),
      series: curves.map(({ member, points }) => lineSeries(member.look, points)),
    },
    label: (series, index) => {
      const curve = curves[series];
      const point = curve?.points[index];
      return curve && point && `${curve.member.short}, ${x.name ?? ""} ${format(point[0])}: ${shown(point[1])}`;
    },
    ...(small
      ? { width: 260, height: 190, level: 4 }
      : {
          numbers: {
            header: [x.name ?? "", ...curves.map(({ member }) => member.short)],
            rows: places.map((place) => [
              format(place),
              ...curves.map(({ points }) => {
                const point = points.find(([at]) => at === place);
                return point ? shown(point[1]) : "";
              }),
            ]),
          },
        }),
  });
}
