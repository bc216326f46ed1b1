import type { FindingKind } from "../../results/index.ts";
import { commandsFor } from "../commands.ts";
import { type Base, membersOf } from "../encoders.ts";
import { encodersOf } from "../input.ts";
import { command, fold, type Part } from "../page.ts";
import type { ReportView } from "../view.ts";

/** Missing measurements, base by base, and the commands that make them. */
export function missingPart(view: ReportView): Part {
  const folds = view.encoders.bases.flatMap((base) => {
    const gaps = gapsOf(base, view);
    if (gaps.length === 0) return [];
    return [
      fold(
        base.original.short,
        gaps.map(({ question }) => question).join(" · "),
        ...gaps.map(({ question, fill }) => `<p>${question}</p>${command(fill)}`),
      ),
    ];
  });
  return {
    heading: "Not measured",
    link: "Not measured",
    lead: "Questions that this report leaves open. Each opens to the commands that answer them; then write the report again.",
    content: folds,
  };
}

interface Gap {
  readonly question: string;
  readonly fill: string;
}

function gapsOf(base: Base, view: ReportView): readonly Gap[] {
  const { input, encoders, groups } = view;
  const members = membersOf(base);
  const has = (kind: FindingKind): boolean =>
    input.findings.some(
      ({ finding }) => finding.kind === kind && encodersOf(finding).some((name) => members.includes(encoders.of(name))),
    );
  const measured = view.verdicts.get(base)?.some(({ found }) => found) ?? false;
  const pictured = groups.some(({ examples }) =>
    examples.some(({ example }) => members.includes(encoders.of(example.encoder))),
  );
  const blended = input.fronts.some(
    ({ front: { original } }) => original !== undefined && encoders.of(original) === base.original,
  );
  const commands = commandsFor(base, view);
  const gap = (isOpen: boolean, question: string, fill: string): readonly Gap[] => (isOpen ? [{ question, fill }] : []);
  return [
    ...(base.trained.length > 0 && !measured
      ? gap(true, "accuracy under attack, with pictures", commands.pictures)
      : gap(!pictured, "pictures", commands.pictures)),
    ...gap(base.trained.length > 0 && !blended, "blends", commands.blends),
    ...gap(base.trained.length > 0 && !has("fidelity"), "whether an index survives", commands.fidelity),
    ...gap(!has("corruptions"), "noise, blur and weather", commands.corruptions),
    ...gap(!has("interpretability"), "interpretability", commands.interpretability),
    ...gap(!has("probes"), "probes", commands.probes),
  ];
}
