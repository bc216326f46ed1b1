import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AttackResult, Evaluation, Evaluations, Picture, PicturedExample } from "../../results/index.ts";
import { curvesFigure } from "../charts/curves.ts";
import { epsilonAxis, inPercent, legend, percentAxis } from "../charts/svg.ts";
import { tradeoffFigure } from "../charts/tradeoff.ts";
import { attackTitle } from "../evaluation.ts";
import type { KeptFinding, ReportInput } from "../input.ts";
import type { Cast } from "../legend.ts";
import { embeddedPng, escapeHtml, grid, htmlTable, note, type Part, subheading, warning } from "../page.ts";
import { overImages, percent } from "../table.ts";

/** Evaluations that compare: of the same images, by the same attacks. */
export interface EvaluationGroup {
  readonly dataset: string;
  readonly images: number;
  /** Images that could not be read. */
  readonly skipped: number | undefined;
  readonly classes: number;
  readonly settings: readonly string[];
  readonly evaluations: readonly Evaluation[];
  readonly examples: readonly { readonly folder: string; readonly example: PicturedExample }[];
}

export function evaluationGroups({ findings }: ReportInput): readonly EvaluationGroup[] {
  const groups = new Map<string, EvaluationGroup>();
  for (const { folder, content } of findings.flatMap(contentOf)) {
    const { settings, evaluations, examples } = content;
    for (const evaluation of evaluations) {
      const { dataset, images, skipped, classes, encoder } = evaluation;
      const key = JSON.stringify([dataset, images, classes, settings]);
      const group = groups.get(key) ?? { dataset, images, skipped, classes, settings, evaluations: [], examples: [] };
      const own = examples.filter((example) => example.encoder === encoder).map((example) => ({ folder, example }));
      groups.set(key, {
        ...group,
        evaluations: [...group.evaluations, evaluation],
        examples: [...group.examples, ...own],
      });
    }
  }
  return [...groups.values()];
}

function contentOf({
  folder,
  finding,
}: KeptFinding): readonly { readonly folder: string; readonly content: Evaluations }[] {
  return finding.kind === "evaluation" ? [{ folder, content: finding.content }] : [];
}

/** Tables, curves over epsilon, the trade-off, and pictures of attacked images; a part a data set. */
export function accuracyParts(input: ReportInput, cast: Cast): readonly Part[] {
  return evaluationGroups(input).map((group) => ({
    heading: `Accuracy: ${group.dataset}`,
    content: content(group, cast),
  }));
}

function content(group: EvaluationGroup, cast: Cast): readonly string[] {
  const { images, skipped, dataset, classes, settings, evaluations } = group;
  const over = `${overImages({ images, skipped, dataset, classes })}.`;
  const attacks = attacksOf(evaluations);
  const members = [...new Set(evaluations.map(({ encoder }) => cast.of(encoder)))];
  const warnings = evaluations.flatMap(({ encoder, warnings }) =>
    warnings.map((text) => warning(`${cast.of(encoder).short}: ${text}`)),
  );
  const rows = evaluations.map((evaluation) => [
    cast.of(evaluation.encoder).short,
    percent(evaluation.clean),
    ...attacks.map((attack) => shown(accuracyUnder(evaluation, attack))),
  ]);
  return [
    htmlTable(["encoder", "clean", ...attacks.map(attackTitle)], rows),
    note([over, ...settings.map((setting) => `${setting}.`)].join(" ")),
    ...warnings,
    ...stages(evaluations, cast),
    ...(attacks.length > 0 ? [legend(members.map(({ short, look }) => ({ name: short, look })))] : []),
    grid([...epsilonCurves(group, attacks, cast, over), ...tradeoffs(group, attacks, cast, over)]),
    ...gallery(group, cast),
  ];
}

/** Every attack at every epsilon, once. */
function attacksOf(evaluations: readonly Evaluation[]): readonly AttackResult[] {
  const all = new Map(evaluations.flatMap(({ attacks }) => attacks.map((attack) => [keyOf(attack), attack] as const)));
  return [...all.values()];
}

function keyOf({ attack, norm, epsilon }: AttackResult): string {
  return JSON.stringify([attack, norm, epsilon]);
}

function accuracyUnder({ attacks }: Evaluation, attack: AttackResult): number | undefined {
  return attacks.find((one) => keyOf(one) === keyOf(attack))?.accuracy;
}

function shown(accuracy: number | undefined): string {
  return accuracy === undefined ? "-" : percent(accuracy);
}

function stages(evaluations: readonly Evaluation[], cast: Cast): readonly string[] {
  const staged = evaluations.flatMap(({ encoder, attacks }) =>
    attacks.flatMap((attack) => (attack.stages ? [{ encoder, attack, stages: attack.stages }] : [])),
  );
  const names = [...new Set(staged.flatMap(({ stages }) => stages.map(({ attack }) => attack)))];
  if (names.length === 0) return [];
  const rows = staged.map(({ encoder, attack, stages }) => [
    `${cast.of(encoder).short}, ${attackTitle(attack)}`,
    ...names.map((name) => shown(stages.find((stage) => stage.attack === name)?.accuracy)),
  ]);
  return [subheading("What each attack of the list left"), htmlTable(["left after", ...names], rows)];
}

function epsilonCurves(
  { evaluations }: EvaluationGroup,
  attacks: readonly AttackResult[],
  cast: Cast,
  over: string,
): readonly string[] {
  const kinds = new Map(attacks.map((attack) => [JSON.stringify([attack.attack, attack.norm]), attack]));
  return [...kinds.values()].map(({ attack, norm }) => {
    const name = norm === "none" ? attack : `${attack} (${norm})`;
    const epsilons = attacks.filter((one) => one.attack === attack && one.norm === norm).map(({ epsilon }) => epsilon);
    return curvesFigure({
      title: `Accuracy against epsilon: ${name}`,
      note: `${over} Epsilon 0 is clean.`,
      x: epsilonAxis("epsilon", epsilons),
      y: percentAxis,
      shown: (value) => `${value.toFixed(1)} %`,
      curves: evaluations.map(({ encoder, clean, attacks: own }) => ({
        member: cast.of(encoder),
        points: [
          [0, inPercent(clean)] as const,
          ...own
            .filter((one) => one.attack === attack && one.norm === norm && one.epsilon > 0)
            .toSorted((a, b) => a.epsilon - b.epsilon)
            .map((one) => [one.epsilon, inPercent(one.accuracy)] as const),
        ],
      })),
    });
  });
}

function tradeoffs(
  { evaluations }: EvaluationGroup,
  attacks: readonly AttackResult[],
  cast: Cast,
  over: string,
): readonly string[] {
  return attacks.flatMap((attack) => {
    const points = evaluations.flatMap((evaluation) => {
      const robust = accuracyUnder(evaluation, attack);
      return robust === undefined ? [] : [{ member: cast.of(evaluation.encoder), clean: evaluation.clean, robust }];
    });
    return new Set(points.map(({ robust }) => robust)).size < 2
      ? []
      : [tradeoffFigure(points, attackTitle(attack), over)];
  });
}

function gallery({ examples }: EvaluationGroup, cast: Cast): readonly string[] {
  if (examples.length === 0) return [];
  const encoders = [...new Set(examples.map(({ example }) => cast.of(example.encoder)))];
  return encoders.flatMap((member) => {
    const own = examples.filter(({ example }) => cast.of(example.encoder) === member);
    return [
      subheading(`Attacked images: ${member.short}, ${own[0]!.example.attack}`),
      note(
        "From left to right: the image, the image perturbed, and the difference (mid-grey is none, black or white the largest).",
      ),
      grid(
        own.map(({ folder, example }) => exampleFigure(folder, example)),
        "pictures",
      ),
    ];
  });
}

function exampleFigure(
  folder: string,
  { label, predictedClean, predictedPerturbed, picture }: PicturedExample,
): string {
  const taken = `${label}: seen as ${predictedClean}, under attack as ${predictedPerturbed}`;
  return `<figure>${pictureOf(folder, picture)}<figcaption>${escapeHtml(taken)}</figcaption></figure>`;
}

/** A picture that lies beside a finding. */
export function pictureOf(folder: string, { file, description }: Picture): string {
  return embeddedPng(readFileSync(join(folder, file)), description);
}
