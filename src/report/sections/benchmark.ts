import { formatEpsilon } from "../../epsilon.ts";
import type { AttackResult, Benchmark } from "../../results/index.ts";
import { benchmarkBlocks, benchmarkView } from "../benchmark.ts";
import { curvesFigure } from "../charts/curves.ts";
import { epsilonAxis, inPercent, legend, percentAxis } from "../charts/svg.ts";
import { tradeoffFigure } from "../charts/tradeoff.ts";
import type { ReportInput } from "../input.ts";
import type { Cast } from "../legend.ts";
import { details, grid, htmlTable, note, type Part, warning } from "../page.ts";

/** The paper's table, published rows set apart, and averages as curves; a part a suite. */
export function benchmarkParts({ findings }: ReportInput, cast: Cast): readonly Part[] {
  return findings.flatMap(({ finding }) =>
    finding.kind === "benchmark"
      ? [{ heading: `Benchmark: ${finding.content.suite}`, content: content(finding.content, cast) }]
      : [],
  );
}

function content(found: Benchmark, cast: Cast): readonly string[] {
  const shorter = { ...found, rows: found.rows.map((row) => ({ ...row, encoder: cast.of(row.encoder).short })) };
  const { sources, notes } = benchmarkView(shorter);
  const warnings = found.rows.flatMap(({ encoder, results }) =>
    results.flatMap(({ set, warnings }) =>
      warnings.map((text) => warning(`${cast.of(encoder).short} on ${set}: ${text}`)),
    ),
  );
  return [
    table({ ...shorter, published: [] }),
    ...notes.map((text) => note(text.trim())),
    ...(sources.length > 0
      ? [details("Beside published figures", table(shorter), ...sources.map((text) => note(text)))]
      : []),
    ...warnings,
    ...averages(found, cast),
  ];
}

function table(found: Benchmark): string {
  const { blocks } = benchmarkView(found);
  const rows = blocks.flatMap(({ title, rows }) => [
    { cells: [title], kind: "group" as const },
    ...rows.map(({ cells, published }) => (published ? { cells, kind: "apart" as const } : cells)),
  ]);
  return htmlTable(["accuracy, %", ...(blocks[0]?.header ?? [])], rows);
}

/** Averages of those encoders for which all measured sets that count are there, so that they compare. */
function averages(found: Benchmark, cast: Cast): readonly string[] {
  const blocks = benchmarkBlocks(found);
  const most = Math.max(0, ...blocks.flatMap(({ rows }) => rows.map(({ count }) => count)));
  const curves = found.rows.flatMap(({ encoder }, i) => {
    const points = blocks.flatMap(({ epsilon, rows }) => {
      const { average, count } = rows[i]!;
      return average === undefined || count < most ? [] : [[epsilon, average] as const];
    });
    return points.length === 0 ? [] : [{ member: cast.of(encoder), points }];
  });
  if (curves.length === 0 || blocks.length < 2) return [];
  const images = [...new Set(found.rows.flatMap(({ results }) => results.map((one) => one.images)))].sort(
    (a, b) => a - b,
  );
  const size = images.length === 1 ? `${images[0]}` : `${images[0]} to ${images.at(-1)}`;
  const over = `Mean over ${most} data set${most === 1 ? "" : "s"} of ${size} images.`;
  const all = found.rows.flatMap(({ results }) => results.flatMap(({ attacks }) => attacks));
  const name = (epsilon: number): string => `${attackAt(all, epsilon)} ${formatEpsilon(epsilon)}`;
  return [
    legend(curves.map(({ member }) => ({ name: member.short, look: member.look }))),
    grid([
      curvesFigure({
        title: "Average accuracy against epsilon",
        note: `${over} Epsilon 0 is clean.`,
        x: epsilonAxis("epsilon", found.epsilons),
        y: percentAxis,
        shown: (value) => `${value.toFixed(1)} %`,
        curves: curves.map(({ member, points }) => ({
          member,
          points: points.map(([epsilon, average]) => [epsilon, inPercent(average)] as const),
        })),
      }),
      ...found.epsilons.flatMap((epsilon) => {
        const points = curves.flatMap(({ member, points }) => {
          const [clean, robust] = [0, epsilon].map((at) => points.find(([place]) => place === at)?.[1]);
          return clean === undefined || robust === undefined ? [] : [{ member, clean, robust }];
        });
        return points.length < 2 ? [] : [tradeoffFigure(points, name(epsilon), over)];
      }),
    ]),
  ];
}

function attackAt(all: readonly AttackResult[], epsilon: number): string {
  const names = new Set(all.filter((one) => one.epsilon === epsilon).map(({ attack }) => attack));
  return [...names].join(" or ");
}
