import type { AttackResult, Finding } from "../results/index.ts";
import { type AccuracyGroup, accuracyGroups, attacksIn } from "./accuracies.ts";
import { attackRank, isNoise } from "./attack-words.ts";
import { swatch } from "./charts/svg.ts";
import { type Base, type Encoders, encodersIn, membersOf, type ShownEncoder, shortNames } from "./encoders.ts";
import type { ReportInput } from "./input.ts";
import { type Cell, escapeHtml } from "./page.ts";
import { type Verdict, verdictsOf } from "./verdict.ts";

/** The data that all sections draw from. */
export interface ReportView {
  readonly input: ReportInput;
  readonly encoders: Encoders;
  readonly groups: readonly AccuracyGroup[];
  readonly verdicts: ReadonlyMap<Base, readonly Verdict[]>;
  /** As little of a data set's name as tells it apart. */
  readonly dataset: (name: string) => string;
}

export function viewOf(input: ReportInput): ReportView {
  const encoders = encodersIn(input);
  const dataset = datasetNames(input);
  const groups = accuracyGroups(input, dataset);
  const verdicts = new Map(encoders.bases.map((base) => [base, verdictsOf(base, groups, encoders)]));
  const measured = (base: Base): number => Number(verdicts.get(base)!.some(({ found }) => found));
  const bases = encoders.bases.toSorted((a, b) => measured(b) - measured(a));
  return { input, encoders: { ...encoders, bases }, groups, verdicts, dataset };
}

function datasetNames({ findings, runs }: ReportInput): (name: string) => string {
  const trained = runs.flatMap(({ description }) => {
    const { flags } = description as { readonly flags?: { readonly data?: unknown } };
    return typeof flags?.data === "string" ? [flags.data] : [];
  });
  const names = [...new Set([...findings.flatMap(({ finding }) => datasetsOf(finding)), ...trained])];
  const short = shortNames(names);
  return (name) => short[names.indexOf(name)] ?? name;
}

function datasetsOf({ kind, content }: Finding): readonly string[] {
  switch (kind) {
    case "evaluation":
      return content.evaluations.map(({ dataset }) => dataset);
    case "benchmark":
      return [];
    case "probes":
      return [content.train, content.test];
    default:
      return [content.dataset];
  }
}

/** An attack on some images. */
export interface Headline {
  readonly group: AccuracyGroup;
  readonly attack: AttackResult;
}

/** The measurement that speaks for a base: the one behind its first verdict, else the largest under the strongest attack. */
export function headlineOf(base: Base, { verdicts, groups, encoders }: ReportView): Headline | undefined {
  const first = verdicts.get(base)?.find(({ found }) => found)?.found;
  if (first) return first;
  const all = groups
    .map((group) => ({ group, own: evaluationsOf(base, group, encoders) }))
    .toSorted((a, b) => b.own.length - a.own.length || b.group.images - a.group.images);
  for (const { group, own } of all) {
    const [attack] = attacksIn(own)
      .filter((one) => !isNoise(one.attack))
      .toSorted((a, b) => attackRank(a.attack) - attackRank(b.attack) || a.epsilon - b.epsilon);
    if (attack) return { group, attack };
  }
  return undefined;
}

/** A base's evaluations in a group, the original's first. */
export function evaluationsOf(base: Base, { evaluations }: AccuracyGroup, encoders: Encoders) {
  return membersOf(base).flatMap((member) => {
    const found = evaluations.find(({ encoder }) => encoders.of(encoder) === member);
    return found ? [{ member, evaluation: found }].map(({ evaluation }) => evaluation) : [];
  });
}

/** An encoder's mark and name. */
export function nameCell({ short, style }: ShownEncoder): Cell & { readonly html: string } {
  return { html: `<span class="name">${swatch(style)}${escapeHtml(short)}</span>` };
}

/** A heading of its own only where there are several bases. */
export function baseHeading(base: Base, { encoders }: ReportView): string {
  return encoders.bases.length > 1 ? base.original.short : "";
}
