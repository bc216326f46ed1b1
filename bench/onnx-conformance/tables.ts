import { markdownTable } from "../markdown.ts";
import type { Case, CaseFacts } from "./cases.ts";
import type { Verdict } from "./verdict.ts";

/** A case with what came of it, here and in ONNX Runtime itself. */
export interface Judged {
  readonly of: Case;
  readonly facts: CaseFacts;
  /** Every operator of it is among those that this project lists. */
  readonly isListed: boolean;
  readonly ours: Verdict;
  readonly original: Verdict;
}

export function report(all: readonly Judged[]): string {
  const rightThere = all.filter(({ original }) => original.kind === "passed");
  const groups: readonly (readonly [string, readonly Judged[]])[] = [
    ["all", all],
    ["with operators that are listed", all.filter(({ isListed }) => isListed)],
    ["right in ONNX Runtime", rightThere],
    [
      "... listed, opsets 7 to 24",
      rightThere.filter(({ isListed, facts: { opset } }) => isListed && opset >= 7 && opset <= 24),
    ],
    ["... floating point", rightThere.filter(({ facts }) => facts.isFloat)],
    ["... listed and floating point", rightThere.filter(({ facts, isListed }) => facts.isFloat && isListed)],
  ];
  const failed = (kind: Verdict["kind"]) => all.filter(({ ours }) => ours.kind === kind);
  const differs = failed("wrong");
  const lines = [
    markdownTable(
      ["models", "number", "passed", "", "refused", "wrong", "crashed"],
      groups.map(([name, members]) => [name, ...counts(members)]),
    ),
    markdownTable(
      ["ONNX Runtime itself", "number"],
      (["passed", "refused", "wrong", "crashed"] as const).map((kind) => [
        kind,
        `${all.filter(({ original }) => original.kind === kind).length}`,
      ]),
    ),
    gradientTable(all),
    section("Wrong where ONNX Runtime is right", differs.filter(isRightThere).map(line)),
    section(
      "Wrong where ONNX Runtime is, too",
      differs.filter(({ original }) => original.kind === "wrong").map(beside),
    ),
    section(
      "Wrong where ONNX Runtime refuses",
      differs.filter(({ original }) => original.kind === "refused").map(beside),
    ),
    section("Crashed", failed("crashed").map(line)),
    section("Wrong or failing gradients", all.flatMap(gradientLine)),
    section(
      "Refused, by reason (number of them right in ONNX Runtime; listed among those)",
      reasons(failed("refused")),
    ),
  ];
  return `${lines.join("\n\n")}\n`;
}

const isRightThere = ({ original }: Judged): boolean => original.kind === "passed";

function counts(members: readonly Judged[]): readonly string[] {
  const of = (kind: Verdict["kind"]): number => members.filter(({ ours }) => ours.kind === kind).length;
  const share = members.length === 0 ? "" : `${((100 * of("passed")) / members.length).toFixed(1)} %`;
  return [
    `${members.length}`,
    `${of("passed")}`,
    share,
    ...(["refused", "wrong", "crashed"] as const).map((kind) => `${of(kind)}`),
  ];
}

function gradientTable(all: readonly Judged[]): string {
  const kinds = ["right", "wrong", "crashed", "refused", "unmeasurable", "none"] as const;
  const number = (kind: string): string =>
    `${all.filter(({ ours }) => ours.kind === "passed" && ours.slopes.kind === kind).length}`;
  return markdownTable(["gradients of what passes", ...kinds.slice(1)], [kinds.map(number)]).replace(
    "gradients of what passes",
    "gradients of what passes: right",
  );
}

const line = ({ of, ours }: Judged): string => `${of.name}: ${oneLine("detail" in ours ? ours.detail : "")}`;

/** Outcome here, and in ONNX Runtime. */
const beside = ({ of, ours, original }: Judged): string =>
  `${of.name}: ${oneLine("detail" in ours ? ours.detail : "")}; there: ${oneLine(saidBy(original))}`;

const saidBy = (verdict: Verdict): string =>
  verdict.kind === "refused" ? verdict.reason : "detail" in verdict ? verdict.detail : "";

function gradientLine({ of, ours }: Judged): readonly string[] {
  if (ours.kind !== "passed" || !("detail" in ours.slopes)) return [];
  return [`${of.name}: ${ours.slopes.kind}: ${oneLine(ours.slopes.detail)}`];
}

/** Reasons without what is particular to a node, the most frequent first. */
function reasons(refused: readonly Judged[]): readonly string[] {
  const groups = new Map<string, Judged[]>();
  for (const judged of refused) {
    const reason = kindOf("reason" in judged.ours ? judged.ours.reason : "");
    groups.set(reason, [...(groups.get(reason) ?? []), judged]);
  }
  return [...groups]
    .map(([reason, members]) => ({ reason, members, right: members.filter(isRightThere) }))
    .sort((a, b) => b.right.length - a.right.length || b.members.length - a.members.length)
    .map(({ reason, members, right }) => {
      const names = right.slice(0, 3).map(({ of }) => of.name);
      const listed = right.filter(({ isListed }) => isListed).length;
      const shown = names.length > 0 ? ` (${names.join(", ")}${right.length > 3 ? ", ..." : ""})` : "";
      return `${members.length} (${right.length}; ${listed}): ${reason}${shown}`;
    });
}

const kindOf = (reason: string): string =>
  oneLine(reason)
    .replaceAll(/"[^"]*"/g, '"..."')
    .replaceAll(/\[[^\]]*\]/g, "[...]")
    .replaceAll(/\d+/g, "N");

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").slice(0, 240);

const section = (title: string, lines: readonly string[]): string =>
  [`${title}: ${lines.length}`, ...lines.map((text) => `  ${text}`)].join("\n");
