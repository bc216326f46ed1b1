import type { StepMetrics } from "../../training/index.ts";
import { legend } from "../charts/svg.ts";
import { shortNumber, type TrainingChart, type TrainingCurve, trainingFigure } from "../charts/training.ts";
import type { ReportInput } from "../input.ts";
import type { Cast } from "../legend.ts";
import { grid, htmlTable, note, type Part } from "../page.ts";
import { percent } from "../table.ts";

interface RunChart extends Omit<TrainingChart, "note"> {
  /** In what the run's constraint bounds, so that runs of another divergence have a chart of their own. */
  readonly isDistance?: true;
}

const charts: readonly RunChart[] = [
  { title: "Lambda, mean over the batch", y: { name: "lambda", min: 0 }, value: ({ lambdaMean }) => lambdaMean },
  {
    isDistance: true,
    title: "Clean distance to the original, and what is allowed",
    y: { name: "clean distance", min: 0 },
    value: ({ cleanDistance }) => cleanDistance,
    limit: ({ threshold }) => threshold,
  },
  {
    title: "Share of violated constraints",
    y: { name: "images, %", min: 0, max: 100, interval: 20, format: String },
    value: ({ violationRate }) => (violationRate === undefined ? undefined : 100 * violationRate),
  },
  {
    isDistance: true,
    title: "Attacked distance to the original",
    y: { name: "attacked distance", min: 0 },
    value: ({ advDistance }) => advDistance,
  },
  { title: "Loss of attacked images", y: { name: "loss", min: 0 }, value: ({ advLoss }) => advLoss },
  { title: "Learning rate", y: { name: "learning rate", min: 0 }, value: ({ learningRate }) => learningRate },
];

/** Curves over training, runs over each other; and where each run ended. */
export function trainingParts({ runs }: ReportInput, cast: Cast): readonly Part[] {
  const curves = runs
    .filter(({ metrics }) => metrics.length > 0)
    .map(({ folder, metrics, description }) => ({ member: cast.of(folder), metrics, unit: unitOf(description) }));
  if (runs.length === 0) return [];
  const named = curves.map(({ member }) => ({
    name: member.settings === "" ? member.short : `${member.short} (${member.settings})`,
    look: member.look,
  }));
  const about =
    "A thick line is the mean over the last thirtieth of the run, the faint one each batch, the dotted one what is allowed.";
  const rows = runs.map(({ folder, metrics }) => [
    cast.of(folder).short,
    cast.of(folder).settings || "-",
    ...ended(metrics),
  ]);
  return [
    {
      heading: "Training",
      content: [
        htmlTable(["run", "rho, K", "batches", "images", "lambda", "clean", "allowed", "violated", "attacked"], rows),
        note(
          `The last batch of each run; distances are means over the batch, squared l2 of embeddings or, under a class constraint, KL in nats. ${about}`,
        ),
        ...(curves.length === 0 ? [] : [legend(named), grid(charts.flatMap((chart) => figures(curves, chart)))]),
      ],
    },
  ];
}

interface RunCurve extends TrainingCurve {
  readonly unit: Unit;
}

const units = ["squared l2", "KL, nats"] as const;
type Unit = (typeof units)[number];

/** What a run's distances are in: under a class constraint KL between class distributions. */
function unitOf(description: unknown): Unit {
  const { objective } = description as {
    readonly objective?: { readonly constraint?: { readonly divergence?: string } };
  };
  return objective?.constraint?.divergence === "classes" ? "KL, nats" : "squared l2";
}

function figures(curves: readonly RunCurve[], { isDistance, ...chart }: RunChart): readonly string[] {
  const draw = (some: readonly RunCurve[], more: Partial<TrainingChart>): string =>
    trainingFigure(some, { ...chart, note: batches(some, chart), ...more });
  const drawn = isDistance
    ? units.map((unit) =>
        draw(
          curves.filter((curve) => curve.unit === unit),
          { y: { ...chart.y, name: unit } },
        ),
      )
    : [draw(curves, {})];
  return drawn.filter((figure) => figure !== "");
}

function ended(metrics: readonly StepMetrics[]): readonly string[] {
  const last = metrics.at(-1);
  if (!last) return ["0", "0", "-", "-", "-", "-", "-"];
  const { step, images, lambdaMean, cleanDistance, threshold, violationRate, advDistance } = last;
  const number = (value: number | undefined): string => (typeof value === "number" ? shortNumber(value) : "-");
  return [
    String(step),
    String(images),
    number(lambdaMean),
    number(cleanDistance),
    number(threshold),
    violationRate === undefined ? "-" : percent(violationRate),
    number(advDistance),
  ];
}

function batches(
  curves: readonly { readonly metrics: readonly StepMetrics[] }[],
  { value }: Pick<TrainingChart, "value">,
): string {
  const images = curves
    .filter(({ metrics }) => metrics.some((one) => value(one) !== undefined))
    .map(({ metrics }) => metrics.at(-1)!.images);
  const [least, most] = [Math.min(...images), Math.max(...images)];
  return `Over ${least === most ? most : `${least} to ${most}`} training images a run.`;
}
