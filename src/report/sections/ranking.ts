import { formatEpsilon } from "../../epsilon.ts";
import type { AttackResult, Benchmark } from "../../results/index.ts";
import { newcombe, wilson } from "../../statistics.ts";
import { type AccuracyGroup, attacksIn, chance, overWhat, resultOf } from "../accuracies.ts";
import { attackRank, attackWithBound, isNoise, sizeWords } from "../attack-words.ts";
import { benchmarkView } from "../benchmark.ts";
import type { Base } from "../encoders.ts";
import { type Cell, details, htmlTable, note, type Part, type SpecialRow, subheading, warning } from "../page.ts";
import { percent } from "../table.ts";
import { usualEpsilon } from "../verdict.ts";
import { evaluationsOf, nameCell, type ReportView } from "../view.ts";

/** All encoders as RobustBench lists them: by accuracy under the strongest attack, those that compare together. */
export function rankingPart(view: ReportView): Part {
  const rows = view.encoders.bases.flatMap((base) =>
    view.groups.filter(({ ofSuite }) => !ofSuite).flatMap((group) => groupRows(base, group, view)),
  );
  const suites = view.input.findings.flatMap(({ finding }) =>
    finding.kind === "benchmark" ? suite(finding.content, view) : [],
  );
  return {
    heading: "All results",
    link: "Table",
    content: [
      ...(rows.length === 0
        ? []
        : [
            htmlTable(["encoder", "under attack", "clean", "trained at", "method"], rows, { text: [4] }),
            note(
              "In brackets: 95 % intervals (Wilson). Bold: best under attack by more than chance explains. An upper bound: a stronger attack may leave less.",
            ),
            ...stages(view),
          ]),
      ...suites,
    ],
  };
}

function groupRows(base: Base, group: AccuracyGroup, view: ReportView): readonly (readonly Cell[] | SpecialRow)[] {
  const own = evaluationsOf(base, group, view.encoders);
  if (own.length === 0) return [];
  const attack = shownAttack(
    own.map(({ encoder }) => view.encoders.of(encoder).epsilon),
    attacksIn(own),
  );
  const lines = own
    .map((evaluation) => ({
      encoder: view.encoders.of(evaluation.encoder),
      clean: evaluation.clean,
      robust: attack && resultOf(evaluation, attack)?.accuracy,
    }))
    .toSorted((a, b) => (b.robust ?? -1) - (a.robust ?? -1) || b.clean - a.clean);
  const [best, second] = lines;
  const isAhead =
    best?.robust !== undefined &&
    second?.robust !== undefined &&
    newcombe({ share: second.robust, count: group.images }, { share: best.robust, count: group.images }).low > 0;
  const under = attack ? `, ${sizeWords(attack)}, ${attackWithBound(attack.attack, group.settings)}` : "";
  const title = `${overWhat(group)} (guessing ${percent(chance(group))})${under}`;
  return [
    { kind: "group", cells: [title] },
    ...lines.map(({ encoder, clean, robust }): readonly Cell[] => [
      nameCell(encoder),
      share(robust, group.images, isAhead && encoder === best!.encoder),
      share(clean, group.images, false),
      encoder.epsilon === undefined ? "-" : `±${formatEpsilon(encoder.epsilon)}`,
      encoder.method,
    ]),
  ];
}

/** The attack that is told of: the strongest at the size that the encoders were trained with, or the nearest to it. */
function shownAttack(
  trained: readonly (number | undefined)[],
  attacks: readonly AttackResult[],
): AttackResult | undefined {
  const real = attacks.filter(({ attack }) => !isNoise(attack));
  const target = trained.find((epsilon) => epsilon !== undefined) ?? usualEpsilon;
  const distance = ({ epsilon }: AttackResult): number => Math.abs(epsilon - target);
  const [best] = real.toSorted(
    (a, b) =>
      (Math.abs(distance(a) - distance(b)) < 1e-9 ? 0 : distance(a) - distance(b)) ||
      attackRank(a.attack) - attackRank(b.attack),
  );
  return best;
}

function share(value: number | undefined, images: number, strong: boolean): Cell {
  if (value === undefined) return "-";
  const { low, high } = wilson(value, images);
  const shown = strong ? `<strong>${percent(value)}</strong>` : percent(value);
  return { html: `${shown} <small>[${Math.round(100 * low)}-${Math.round(100 * high)}]</small>` };
}

function stages({ groups, encoders }: ReportView): readonly string[] {
  return groups.flatMap(({ evaluations, short }) => {
    const staged = evaluations.flatMap(({ encoder, attacks }) =>
      attacks.flatMap((attack) => (attack.stages ? [{ encoder, attack, stages: attack.stages }] : [])),
    );
    const names = [...new Set(staged.flatMap(({ stages }) => stages.map(({ attack }) => attack)))];
    if (names.length === 0) return [];
    const rows = staged.map(({ encoder, attack, stages }) => [
      `${encoders.of(encoder).short}, ${sizeWords(attack)}`,
      ...names.map((name) => {
        const stage = stages.find((one) => one.attack === name);
        return stage ? percent(stage.accuracy) : "-";
      }),
    ]);
    return [details(`What each attack of the list left, ${short}`, htmlTable(["left after", ...names], rows))];
  });
}

/** The paper's table; published rows are set apart. */
function suite(found: Benchmark, { encoders }: ReportView): readonly string[] {
  const shorter = { ...found, rows: found.rows.map((row) => ({ ...row, encoder: encoders.of(row.encoder).short })) };
  const { sources, notes } = benchmarkView(shorter);
  const warnings = found.rows.flatMap(({ encoder, results }) =>
    results.flatMap(({ set, warnings }) =>
      warnings.map((text) => warning(`${encoders.of(encoder).short} on ${set}: ${text}`)),
    ),
  );
  return [
    subheading(`Benchmark: ${found.suite}`),
    suiteTable({ ...shorter, published: [] }),
    ...notes.map((text) => note(text.trim())),
    ...(sources.length > 0
      ? [details("Beside published figures", suiteTable(shorter), ...sources.map((text) => note(text)))]
      : []),
    ...warnings,
  ];
}

function suiteTable(found: Benchmark): string {
  const { blocks } = benchmarkView(found);
  const rows = blocks.flatMap(({ title, rows }) => [
    { cells: [title], kind: "group" as const },
    ...rows.map(({ cells, published }) => (published ? { cells, kind: "apart" as const } : cells)),
  ]);
  return htmlTable(["accuracy, %", ...(blocks[0]?.header ?? [])], rows);
}
