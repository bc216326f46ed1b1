import type { RecordedRecognition, StepMetrics } from "../../training/index.ts";
import { legend } from "../charts/svg.ts";
import { shortNumber, type TrainingChart, type TrainingCurve, trainingFigure } from "../charts/training.ts";
import { membersOf } from "../encoders.ts";
import { fold, grid, htmlTable, note, subheading } from "../page.ts";
import { percent } from "../table.ts";
import type { ReportView } from "../view.ts";

interface RunChart extends Omit<TrainingChart, "note"> {
  /** In what the run's constraint bounds, so that runs of another divergence have a chart of their own. */
  readonly isDistance?: true;
}

const charts: readonly RunChart[] = [
  { title: "Lambda, mean over the batch", y: { name: "lambda", min: 0 }, value: ({ lambdaMean }) => lambdaMean },
  {
    isDistance: true,
    title: "Clean distance, and its limit",
    y: { name: "clean distance", min: 0 },
    value: ({ cleanDistance }) => cleanDistance,
    limit: ({ threshold }) => threshold,
  },
  {
    title: "Images beyond the limit",
    y: { name: "images, %", min: 0, max: 100, interval: 20, format: String },
    value: ({ violationRate }) => (violationRate === undefined ? undefined : 100 * violationRate),
  },
  {
    isDistance: true,
    title: "Attacked distance",
    y: { name: "attacked distance", min: 0 },
    value: ({ advDistance }) => advDistance,
  },
  { title: "Loss of attacked images", y: { name: "loss", min: 0 }, value: ({ advLoss }) => advLoss },
];

/** Curves over training, the runs of a base over each other, and where each run ended; one panel a base. */
export function trainingFolds(view: ReportView): readonly string[] {
  const panels = view.encoders.bases.flatMap((base) => {
    const runs = membersOf(base).flatMap((encoder) => (encoder.run ? [{ encoder, run: encoder.run }] : []));
    if (runs.length === 0) return [];
    const curves = runs
      .filter(({ run }) => run.metrics.length > 0)
      .map(({ encoder, run: { metrics, description } }) => ({ encoder, metrics, unit: unitOf(description) }));
    const rows = runs.map(({ encoder, run }) => [
      encoder.short,
      encoder.method,
      recognized(run.recognition),
      ...ended(run.metrics),
    ]);
    return [
      ...(view.encoders.bases.length > 1 ? [subheading(base.original.short)] : []),
      htmlTable(
        [
          "run",
          "method",
          "recognised under attack",
          "batches",
          "images",
          "lambda",
          "clean distance",
          "limit",
          "beyond the limit, last batch",
          "attacked distance",
        ],
        rows,
        { text: [1] },
      ),
      ...(curves.length === 0
        ? []
        : [
            legend(curves.map(({ encoder: { short, style } }) => ({ name: short, style }))),
            grid(
              charts.flatMap((chart) => figures(curves, chart)),
              "small",
            ),
          ]),
    ];
  });
  if (panels.length === 0) return [];
  return [
    fold(
      "Training",
      "how the runs went, batch by batch",
      note(
        "Recognised under attack: of the images kept aside, before and after training; see lore train's verdict. The rest of the table is of each run's last batch; distances are means over the batch, squared l2 of embeddings or, under a class constraint, KL in nats. " +
          "A thick line is the mean over the last thirtieth of the run, the faint one each batch, the dotted one the limit.",
      ),
      ...panels,
    ),
  ];
}

interface RunCurve extends TrainingCurve {
  readonly unit: Unit;
}

const units = ["squared l2", "KL, nats"] as const;
type Unit = (typeof units)[number];

/** Unit of a run's distances: KL between class distributions under a class constraint. */
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

/** `0 -> 19 % of 64`; a dash where the run has not ended, or kept too few images aside. */
function recognized(looks: readonly RecordedRecognition[]): string {
  const [before, after] = ["before", "after"].map((when) => looks.find((look) => look.when === when));
  if (!before || !after) return "-";
  return `${(100 * before.attacked).toFixed(0)} \u2192 ${(100 * after.attacked).toFixed(0)} % of ${after.images}`;
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
