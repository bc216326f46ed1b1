import type { Member } from "../legend.ts";
import { percent } from "../table.ts";
import { chartFigure, chartMargins, chartSize, inPercent, xAxis, yAxis } from "./svg.ts";

export interface TradeoffPoint {
  readonly member: Member;
  /** From 0 to 1. */
  readonly clean: number;
  readonly robust: number;
}

/** Those that no other is better than in both, from the least clean accuracy to the largest. */
export function paretoFront<Point extends { readonly clean: number; readonly robust: number }>(
  points: readonly Point[],
): readonly Point[] {
  return points
    .filter(
      (point) =>
        !points.some(
          ({ clean, robust }) =>
            clean >= point.clean && robust >= point.robust && (clean > point.clean || robust > point.robust),
        ),
    )
    .toSorted((a, b) => a.clean - b.clean);
}

/** Clean against robust accuracy, a point an encoder; a line through those of the Pareto front. */
export function tradeoffFigure(points: readonly TradeoffPoint[], attack: string, note: string): string {
  const front = paretoFront(points);
  const [clean, robust] = [
    points.map((point) => inPercent(point.clean)),
    points.map((point) => inPercent(point.robust)),
  ];
  const [left, right] = padded(clean);
  const [low, high] = padded(robust);
  const labels = placed(
    points.map(({ member: { short, settings } }, i) => ({
      x: (plot.right * (clean[i]! - left)) / (right - left),
      y: (plot.bottom * (high - robust[i]!)) / (high - low),
      text: settings === "" ? short : `${short} (${settings})`,
    })),
  );
  return chartFigure({
    title: `Clean accuracy against ${attack}`,
    note: `${note} The dashed line is the Pareto front: nothing measured is better in both.`,
    option: {
      xAxis: xAxis({ name: "clean accuracy, %", min: left, max: right }),
      yAxis: yAxis({ name: `accuracy under ${attack}, %`, min: low, max: high }),
      series: [
        {
          type: "line",
          data: front.map((point) => [inPercent(point.clean), inPercent(point.robust)]),
          step: "start",
          showSymbol: false,
          silent: true,
          // Below the labels.
          z: 0,
          lineStyle: { color: "var(--muted)", width: 1.5, type: [5, 4] },
        },
        ...points.map(({ member }, i) => ({
          type: "scatter" as const,
          data: [[clean[i]!, robust[i]!]],
          symbol: member.look.symbol,
          symbolSize: 13,
          silent: true,
          itemStyle: { color: member.look.colour, opacity: 1 },
          label: {
            show: true,
            position: labels[i]!.side,
            offset: [0, labels[i]!.shift],
            formatter: () => labels[i]!.text,
            color: "var(--ink)",
            textBorderColor: "var(--ground)",
            textBorderWidth: 6,
            fontSize: 13,
          },
        })),
      ],
    },
    label: (series) => {
      const point = points[series - 1];
      return point && `${point.member.short}: clean ${percent(point.clean)}, ${attack} ${percent(point.robust)}`;
    },
    numbers: {
      header: ["encoder", "rho, K", "clean", attack, "on the front"],
      rows: points.map((point) => [
        point.member.short,
        point.member.settings || "-",
        percent(point.clean),
        percent(point.robust),
        front.includes(point) ? "yes" : "no",
      ]),
    },
  });
}

/** Ends of an axis with room around its points, in whole tens of percent. */
export function padded(values: readonly number[]): readonly [number, number] {
  const ends = [Math.floor((Math.min(...values) - 4) / 10) * 10, Math.ceil((Math.max(...values) + 4) / 10) * 10];
  return [Math.max(ends[0]!, 0), Math.min(ends[1]!, 100)];
}

interface Label {
  readonly text: string;
  readonly side: "left" | "right";
  /** Downwards from its point. */
  readonly shift: number;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const plot: Box = {
  left: 0,
  right: chartSize.width - chartMargins.left - chartMargins.right,
  top: 0,
  bottom: chartSize.height - chartMargins.top - chartMargins.bottom,
};

/** Height of a line of text, width of a letter, and how far either stands from its point. */
const [line, letter, gap] = [16, 6.8, 11];

/** A place beside each point where the label lies on no other label and no other point, the nearest there is. */
function placed(points: readonly Placed[]): readonly Label[] {
  const marks = points.map(({ x, y }) => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7 }));
  const taken: Box[] = [];
  return points.map(({ x, y, text }, i) => {
    const width = letter * text.length;
    const sides = x > plot.right / 2 ? (["left", "right"] as const) : (["right", "left"] as const);
    const all = [0, 1, -1, 2, -2, 3, -3].flatMap((lines) => sides.map((side) => ({ text, side, shift: lines * line })));
    const boxOf = ({ side, shift }: Label): Box => {
      const left = side === "left" ? x - gap - width : x + gap;
      return { left, right: left + width, top: y + shift - line / 2, bottom: y + shift + line / 2 };
    };
    const others = marks.filter((_, j) => j !== i);
    const free = all.find((label) => {
      const box = boxOf(label);
      return isWithin(box, plot) && ![...taken, ...others].some((other) => overlap(box, other));
    });
    const label = free ?? all[0]!;
    taken.push(boxOf(label));
    return label;
  });
}

interface Placed {
  /** In the plot, from its left and its top. */
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function isWithin(box: Box, { left, right, top, bottom }: Box): boolean {
  return (
    box.left >= left - chartMargins.left &&
    box.right <= right + chartMargins.right &&
    box.top >= top &&
    box.bottom <= bottom
  );
}
