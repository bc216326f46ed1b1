import { resolve } from "node:path";
import type { Finding } from "../results/index.ts";
import type { ReportInput, TrainingRun } from "./input.ts";

/** How an encoder is drawn; told apart by colour, dash and symbol alike. */
export interface Look {
  /** A colour of the page's style. */
  readonly colour: string;
  /** Lengths of dashes and gaps; empty for a solid line. */
  readonly dash: readonly number[];
  /** As ECharts names or draws it. */
  readonly symbol: string;
}

export interface Member {
  /** As it was given on the command line. */
  readonly name: string;
  /** As little of the name as tells it apart. */
  readonly short: string;
  readonly look: Look;
  /** The run that made it, where the report is given it. */
  readonly run?: TrainingRun;
  /** "rho 0.1, K 5" ... of its run; empty without one. */
  readonly settings: string;
}

/** The encoders of a report: each is called and drawn alike in all sections. */
export interface Cast {
  readonly members: readonly Member[];
  /** @throws for a name that is in none of the findings */
  of(name: string): Member;
}

const colours = 8;
// None is dotted: that is how limits are drawn.
const dashes = [[], [7, 3], [10, 3, 3, 3], [4, 3], [14, 4], [8, 3, 3, 3, 3, 3], [14, 3, 6, 3], [4, 6]];
const symbols = [
  "circle",
  "rect",
  "triangle",
  "diamond",
  "path://M0 3L3 0L6 3L9 0L12 3L9 6L12 9L9 12L6 9L3 12L0 9L3 6Z",
  "path://M4 0H8V4H12V8H8V12H4V8H0V4H4Z",
  "path://M0 0H12L6 12Z",
  "path://M6 0L12 5L9.5 12H2.5L0 5Z",
];

export function castOf({ runs, findings }: ReportInput): Cast {
  const names = [
    ...new Set([...findings.flatMap(({ finding }) => encodersOf(finding)), ...runs.map(({ folder }) => folder)]),
  ];
  const heads: string[] = [];
  const headOf = new Map<string, string>();
  for (const name of names) {
    const head = heads.find((other) => sameFolder(other, name));
    if (head === undefined) heads.push(name);
    headOf.set(name, head ?? name);
  }
  const short = shortNames(heads);
  const members = heads.map((name, i): Member => {
    const run = runs.find(({ folder }) => sameFolder(folder, name));
    return {
      name,
      short: short[i]!,
      look: {
        colour: `var(--c${i % colours})`,
        dash: dashes[i % dashes.length]!,
        symbol: symbols[i % symbols.length]!,
      },
      settings: run ? trainingSettings(run) : "",
      ...(run && { run }),
    };
  });
  return {
    members,
    of: (name) => {
      const member = members.find((one) => one.name === headOf.get(name));
      if (!member) throw new RangeError(`No finding is about ${name}.`);
      return member;
    },
  };
}

function encodersOf({ kind, content }: Finding): readonly string[] {
  switch (kind) {
    case "evaluation":
      return content.evaluations.map(({ encoder }) => encoder);
    case "benchmark":
      return content.rows.map(({ encoder }) => encoder);
    default:
      return content.encoders.map(({ encoder }) => encoder);
  }
}

/** Whether two names mean one encoder: a run goes by its folder or by the encoder within. */
function sameFolder(a: string, b: string): boolean {
  const [one, other] = [a, b].map((name) => name.replace(/\/+$/, "").replace(/\/encoder$/, "")) as [string, string];
  return one === other || resolve(one) === resolve(other);
}

/** As many of a path's last parts as it takes to tell it from the others, names that files commonly have not counted. */
function shortNames(names: readonly string[]): readonly string[] {
  const common = /^(encoder|model\.safetensors|model\.onnx)$/;
  const parts = names.map((name) => name.split("/").filter((part) => part !== "" && part !== "."));
  const last = (i: number, count: number): string => parts[i]!.slice(-count).join("/");
  return names.map((name, i) => {
    const all = parts[i]!;
    for (let count = common.test(all.at(-1) ?? "") ? 2 : 1; count < all.length; count++) {
      if (names.every((_, j) => j === i || last(j, count) !== last(i, count))) return last(i, count);
    }
    return name;
  });
}

function trainingSettings({ description }: TrainingRun): string {
  const { objective } = description as {
    readonly objective?: {
      readonly name?: string;
      readonly stepsPerBatch?: number;
      readonly attack?: { readonly epsilon?: number };
      readonly constraint?: { readonly margin?: { readonly rho?: number } };
    };
  };
  const rho = objective?.constraint?.margin?.rho;
  return [
    ...(rho === undefined ? [] : [`rho ${rho}`]),
    ...(objective?.stepsPerBatch === undefined ? [] : [`K ${objective.stepsPerBatch}`]),
  ].join(", ");
}
