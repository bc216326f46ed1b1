import type { AttackResult, Evaluation, Finding, PicturedExample } from "../results/index.ts";
import { counted } from "../words.ts";
import type { ReportInput } from "./input.ts";

/** Accuracies that compare: of the same images, by the same attacks. */
export interface AccuracyGroup {
  readonly dataset: string;
  /** As little of the data set's name as tells it apart. */
  readonly short: string;
  readonly images: number;
  /** Images that could not be read. */
  readonly skipped: number;
  readonly classes: number;
  /** How the attacks were made, in words. */
  readonly settings: readonly string[];
  /** One an encoder. */
  readonly evaluations: readonly Evaluation[];
  readonly examples: readonly { readonly folder: string; readonly example: PicturedExample }[];
  /** Whether it is one of a benchmark's data sets, which have a table of their own. */
  readonly ofSuite: boolean;
}

/** Evaluations of all findings, brought together where they compare. */
export function accuracyGroups(
  { findings }: ReportInput,
  names: (dataset: string) => string,
): readonly AccuracyGroup[] {
  const groups = new Map<string, Omit<AccuracyGroup, "short">>();
  // The newest last: what was measured twice is shown as it came out last.
  for (const { folder, finding } of findings.toSorted((a, b) => a.finding.date.localeCompare(b.finding.date))) {
    for (const part of partsOf(finding)) {
      const { dataset, images, skipped, classes, encoder } = part.evaluation;
      const key = JSON.stringify([dataset, images, classes, part.settings, part.ofSuite]);
      const { settings, ofSuite } = part;
      const group = groups.get(key) ?? {
        ...{ dataset, images, skipped, classes, settings, ofSuite, evaluations: [], examples: [] },
      };
      const earlier = group.evaluations.find((one) => one.encoder === encoder);
      groups.set(key, {
        ...group,
        evaluations: [
          ...group.evaluations.filter((one) => one !== earlier),
          earlier ? merged(earlier, part.evaluation) : part.evaluation,
        ],
        examples: [
          ...(part.examples.length > 0
            ? group.examples.filter(({ example }) => example.encoder !== encoder)
            : group.examples),
          ...part.examples.map((example) => ({ folder, example })),
        ],
      });
    }
  }
  return [...groups.values()].map((group) => ({ ...group, short: names(group.dataset) }));
}

interface Part {
  readonly evaluation: Evaluation;
  readonly settings: readonly string[];
  readonly examples: readonly PicturedExample[];
  readonly ofSuite: boolean;
}

function partsOf(finding: Finding): readonly Part[] {
  if (finding.kind === "evaluation") {
    const { evaluations, settings, examples } = finding.content;
    return evaluations.map((evaluation) => ({
      ...{ evaluation, settings, ofSuite: false },
      examples: examples.filter(({ encoder }) => encoder === evaluation.encoder),
    }));
  }
  if (finding.kind !== "benchmark") return [];
  const { rows, sets } = finding.content;
  return rows.flatMap(({ encoder, results }) =>
    results.map(({ set, images, skipped = 0, classes, clean, attacks, warnings }) => ({
      evaluation: {
        ...{ encoder, images, skipped, classes, clean, attacks, warnings },
        dataset: sets.find(({ name }) => name === set)?.title ?? set,
      },
      ...{ settings: [], examples: [], ofSuite: true },
    })),
  );
}

/** Both measurements' attacks; what both have, and all else, is the later's. */
function merged(earlier: Evaluation, later: Evaluation): Evaluation {
  const keys = new Set(later.attacks.map(attackKey));
  const { paired: _, ...rest } = later;
  const kept = earlier.attacks.filter((attack) => !keys.has(attackKey(attack)));
  // Pairs go with the attacks by their order.
  return kept.length === 0 ? later : { ...rest, attacks: [...later.attacks, ...kept] };
}

export function attackKey({ attack, norm, epsilon }: AttackResult): string {
  return JSON.stringify([attack, norm, epsilon]);
}

/** The result of the same attack at the same size. */
export function resultOf({ attacks }: Evaluation, attack: AttackResult): AttackResult | undefined {
  return attacks.find((one) => attackKey(one) === attackKey(attack));
}

/** Every attack at every size, once. */
export function attacksIn(evaluations: readonly Evaluation[]): readonly AttackResult[] {
  return [
    ...new Map(evaluations.flatMap(({ attacks }) => attacks.map((one) => [attackKey(one), one] as const))).values(),
  ];
}

/** "200 images of cifar10-wds/test, 10 classes". */
export function overWhat({ images, skipped, short, classes }: AccuracyGroup): string {
  const left = skipped > 0 ? ` (${skipped} more could not be read)` : "";
  return `${counted(images, "image")} of ${short}${left}, ${counted(classes, "class", "classes")}`;
}

/** Accuracy of guessing. */
export function chance({ classes }: Pick<Evaluation, "classes">): number {
  return 1 / Math.max(1, classes);
}
