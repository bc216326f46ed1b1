import type { CorruptedEncoder, Corruptions } from "../../results/index.ts";
import { newcombe } from "../../statistics.ts";
import { differencesFigure } from "../charts/differences.ts";
import { legend } from "../charts/svg.ts";
import { corruptionsCells } from "../corruptions.ts";
import { type Base, membersOf } from "../encoders.ts";
import { details, grid, htmlTable, note, type Part, warning } from "../page.ts";
import { overImages, percent, points } from "../table.ts";
import { nameCell, type ReportView } from "../view.ts";

/** Weather, noise, blur: differences of accuracy to the original, sorted; all numbers below, folded. */
export function corruptionsPart(view: ReportView): Part {
  const found = view.input.findings.flatMap(({ finding }) => (finding.kind === "corruptions" ? [finding.content] : []));
  return {
    heading: "Noise, blur and weather",
    link: "Corruptions",
    lead: "Changes that nobody chose to fool the encoder. Left of zero, training made it worse than its original; on the grey band, the difference may be chance.",
    content: found.flatMap((one) => view.encoders.bases.flatMap((base) => content(one, base, view))),
  };
}

function content(found: Corruptions, base: Base, view: ReportView): readonly string[] {
  const own = membersOf(base).flatMap((member) =>
    found.encoders.flatMap((one) => (view.encoders.of(one.encoder) === member ? [{ ...one, member }] : [])),
  );
  if (own.length === 0) return [];
  const { parameters, severities, warnings, extra } = found;
  const over = `${overImages({ ...found, dataset: view.dataset(found.dataset) })}; mean over severities ${severities.join(", ")}; corruptions as in ${parameters}.`;
  const [original, others] = [
    own.find(({ member }) => member === base.original),
    own.filter(({ member }) => member !== base.original),
  ];
  const rows = own.map((one) => [
    nameCell(one.member),
    percent(one.clean),
    ...(one.rows.length === 0
      ? []
      : [
          percent(mean(common(one, extra))),
          original && one !== original ? points(mean(common(one, extra)) - mean(common(original, extra))) : "-",
        ]),
    ...(own.some(({ meanCorruptionError }) => meanCorruptionError !== undefined)
      ? [one.meanCorruptionError === undefined ? "-" : percent(one.meanCorruptionError)]
      : []),
  ]);
  const header = [
    "encoder",
    "clean",
    ...(own[0]!.rows.length === 0 ? [] : ["corrupted, mean", "difference, points"]),
    ...(rows[0]!.length > (own[0]!.rows.length === 0 ? 2 : 4) ? ["mean corruption error"] : []),
  ];
  return [
    ...(original && others.length > 0 && original.rows.length > 0
      ? [
          legend(others.map(({ member: { short, style } }) => ({ name: short, style }))),
          grid([figure(found, original, others, over, base), htmlTable(header, rows)]),
        ]
      : [htmlTable(header, rows), note(over)]),
    ...warnings.map(warning),
    allNumbers({ ...found, encoders: own.map(({ member, ...one }) => ({ ...one, encoder: member.short })) }),
  ];
}

type Own = CorruptedEncoder & { readonly member: Base["original"] };

function figure(found: Corruptions, original: Own, others: readonly Own[], over: string, base: Base): string {
  const sorted = original.rows
    .map(({ corruption, accuracies }, i) => {
      const differences = others.map(({ rows }) => mean(rows[i]!.accuracies) - mean(accuracies));
      return { corruption, differences, total: mean(differences) };
    })
    .toSorted((a, b) => a.total - b.total);
  const share = mean(common(original, found.extra));
  const noise = newcombe({ share, count: found.images }, { share, count: found.images }).high;
  return differencesFigure({
    title: `Accuracy less that of ${base.original.short}`,
    note: `${over} The band is the 95 % interval of no difference on ${found.images} images, those of a severity (Newcombe, unpaired): a cautious one.`,
    names: sorted.map(({ corruption }) => corruption),
    encoders: others.map(({ member }, i) => ({
      encoder: member,
      differences: sorted.map(({ differences }) => differences[i]!),
    })),
    noise,
  });
}

function allNumbers(found: Corruptions): string {
  const { encoders, severities } = found;
  const { rows, noise } = corruptionsCells(found);
  const bySeverity = encoders[0]!.rows.flatMap(({ corruption }, i) =>
    encoders.map(({ encoder, rows }) => [`${corruption}, ${encoder}`, ...rows[i]!.accuracies.map(percent)]),
  );
  return details(
    "Numbers of all corruptions, by severity, and under Gaussian noise",
    htmlTable(rows.header, rows.rows),
    ...(noise.rows.length > 0 ? [htmlTable(noise.header, noise.rows)] : []),
    ...(bySeverity.length > 0 && severities.length > 1
      ? [htmlTable(["severity", ...severities.map(String)], bySeverity)]
      : []),
    note(
      "The mean corruption error is relative to the first encoder's, over the fifteen common corruptions; less is better.",
    ),
  );
}

/** Means over severities of the corruptions that count in the mean. */
function common({ rows }: CorruptedEncoder, extra: readonly string[]): readonly number[] {
  return rows.filter(({ corruption }) => !extra.includes(corruption)).map(({ accuracies }) => mean(accuracies));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
