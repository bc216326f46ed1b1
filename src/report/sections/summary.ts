import { formatEpsilon } from "../../epsilon.ts";
import type { Benchmark, Corruptions, Fidelity, Finding, Interpretability, Probes } from "../../results/index.ts";
import { benchmarkBlocks } from "../benchmark.ts";
import { attackTitle } from "../evaluation.ts";
import type { ReportInput } from "../input.ts";
import { levels } from "../interpretability.ts";
import type { Cast, Member } from "../legend.ts";
import { htmlTable, note, type Part, type SpecialRow } from "../page.ts";
import { percent } from "../table.ts";
import { evaluationGroups } from "./accuracy.ts";

/** One figure of each encoder. */
interface Measure {
  readonly title: string;
  readonly better: "more" | "less";
  readonly show: (value: number) => string;
  /** Encoder to value. */
  readonly values: readonly (readonly [encoder: string, value: number | undefined])[];
}

interface MeasureGroup {
  readonly title: string;
  readonly measures: readonly Measure[];
}

/** What was found, a row a measure and a column an encoder; the best of each row is bold. */
export function summaryParts(input: ReportInput, cast: Cast): readonly Part[] {
  const groups = [...evaluations(input), ...input.findings.flatMap(({ finding }) => measured(finding))].filter(
    ({ measures }) => measures.length > 0,
  );
  if (groups.length === 0) return [];
  const names = new Set(
    groups.flatMap(({ measures }) => measures.flatMap(({ values }) => values.map(([name]) => name))),
  );
  const members = [...new Set([...names].map(cast.of))];
  const rows = groups.flatMap(({ title, measures }): readonly Row[] => [
    { cells: { cells: [title], kind: "group" }, best: [] },
    ...measures.map((measure) => rowOf(measure, members, cast)),
  ]);
  return [
    {
      heading: "Summary",
      content: [
        htmlTable(
          ["measure", ...members.map(({ short }) => short)],
          rows.map(({ cells }) => cells),
          { strong: (row, column) => rows[row]!.best.includes(column) },
        ),
        note("The best of each row is bold, where encoders differ."),
      ],
    },
  ];
}

/** Evaluations are grouped across findings instead. */
function measured(finding: Finding): readonly MeasureGroup[] {
  switch (finding.kind) {
    case "evaluation":
      return [];
    case "benchmark":
      return [benchmark(finding.content)];
    case "corruptions":
      return [corruptions(finding.content)];
    case "probes":
      return [probes(finding.content)];
    case "fidelity":
      return [fidelity(finding.content)];
    case "interpretability":
      return [interpretability(finding.content)];
  }
}

interface Row {
  readonly cells: readonly string[] | SpecialRow;
  /** Columns with the best value. */
  readonly best: readonly number[];
}

function rowOf({ title, better, show, values }: Measure, members: readonly Member[], cast: Cast): Row {
  const found = members.map(
    (member) => values.find(([name, value]) => value !== undefined && cast.of(name) === member)?.[1],
  );
  const known = found.filter((value) => value !== undefined);
  const best = better === "more" ? Math.max(...known) : Math.min(...known);
  return {
    cells: [title, ...found.map((value) => (value === undefined ? "-" : show(value)))],
    best: new Set(known).size > 1 ? found.flatMap((value, i) => (value === best ? [i + 1] : [])) : [],
  };
}

function evaluations(input: ReportInput): readonly MeasureGroup[] {
  return evaluationGroups(input).map(({ dataset, images, evaluations }) => {
    const attacks = [...new Set(evaluations.flatMap(({ attacks }) => attacks.map(attackTitle)))];
    const values = (of: (evaluation: (typeof evaluations)[number]) => number | undefined): Measure["values"] =>
      evaluations.map((evaluation) => [evaluation.encoder, of(evaluation)] as const);
    return {
      title: `Accuracy, ${images} images of ${dataset}`,
      measures: [
        { title: "clean", ...share, values: values(({ clean }) => clean) },
        ...attacks.map((title) => ({
          title,
          ...share,
          values: values(({ attacks }) => attacks.find((attack) => attackTitle(attack) === title)?.accuracy),
        })),
      ],
    };
  });
}

const share = { better: "more", show: percent } as const;

function benchmark(found: Benchmark): MeasureGroup {
  const blocks = benchmarkBlocks(found);
  const count = Math.max(0, ...blocks.flatMap(({ rows }) => rows.map((row) => row.count)));
  return {
    title: `Benchmark ${found.suite}, mean over ${count} data set${count === 1 ? "" : "s"}`,
    measures: blocks.map(({ epsilon, rows }) => ({
      title: epsilon === 0 ? "clean" : `epsilon ${formatEpsilon(epsilon)}`,
      ...share,
      // An average over fewer sets does not compare.
      values: found.rows.map(
        ({ encoder }, i) => [encoder, rows[i]!.count === count ? rows[i]!.average : undefined] as const,
      ),
    })),
  };
}

function corruptions({ dataset, images, encoders }: Corruptions): MeasureGroup {
  const any = encoders.some(({ meanCorruptionError }) => meanCorruptionError !== undefined);
  return {
    title: `Common corruptions, ${images} images of ${dataset}`,
    measures: any
      ? [
          {
            title: "mean corruption error",
            better: "less",
            show: percent,
            values: encoders.map(({ encoder, meanCorruptionError }) => [encoder, meanCorruptionError] as const),
          },
        ]
      : [],
  };
}

function probes({ test, testImages, encoders }: Probes): MeasureGroup {
  const ks = [...new Set(encoders.flatMap(({ neighbours }) => neighbours.map(({ k }) => k)))];
  return {
    title: `Probes, ${testImages} images of ${test}`,
    measures: [
      {
        title: "linear probe",
        ...share,
        values: encoders.map(({ encoder, linear }) => [encoder, linear.accuracy] as const),
      },
      ...ks.map((k) => ({
        title: `${k} nearest neighbours`,
        ...share,
        values: encoders.map(
          ({ encoder, neighbours }) => [encoder, neighbours.find((one) => one.k === k)?.accuracy] as const,
        ),
      })),
    ],
  };
}

function fidelity({ dataset, images, original, rho, attack, encoders }: Fidelity): MeasureGroup {
  const cosine = (value: number): string => value.toFixed(3);
  return {
    title: `Fidelity to ${original}, ${images} images of ${dataset}`,
    measures: [
      {
        title: "median cosine, clean",
        better: "more",
        show: cosine,
        values: encoders.map(({ encoder, clean }) => [encoder, clean.cosine.median] as const),
      },
      ...(attack === undefined
        ? []
        : [
            {
              title: `median cosine, ${attack}`,
              better: "more" as const,
              show: cosine,
              values: encoders.map(({ encoder, attacked }) => [encoder, attacked?.cosine.median] as const),
            },
          ]),
      {
        title: `violated constraints, rho ${rho}`,
        better: "less",
        show: percent,
        values: encoders.map(({ encoder, violationRate }) => [encoder, violationRate] as const),
      },
    ],
  };
}

function interpretability({ dataset, images, encoders }: Interpretability): MeasureGroup {
  const values = (of: (encoder: (typeof encoders)[number]) => number | undefined): Measure["values"] =>
    encoders.map((one) => [one.encoder, of(one)] as const);
  const aligned = encoders.some(({ alignment }) => alignment);
  return {
    title: `Interpretability, ${images} images of ${dataset}`,
    measures: [
      ...(aligned
        ? [
            {
              title: "cosine with own class's texts",
              better: "more" as const,
              show: (value: number) => value.toFixed(3),
              values: values(({ alignment }) => alignment?.mean),
            },
          ]
        : []),
      {
        title: "median epsilon that flips",
        better: "more",
        show: levels,
        values: values(({ flip }) => flip.epsilon?.median),
      },
    ],
  };
}
