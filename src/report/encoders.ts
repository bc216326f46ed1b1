import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { encodersOf, originalOf, type ReportInput, type TrainingRun } from "./input.ts";

/** How an encoder is drawn; told apart by colour, dash and symbol alike. */
export interface Style {
  /** A colour of the page. */
  readonly colour: string;
  /** Lengths of dashes and gaps; empty for a solid line. */
  readonly dash: readonly number[];
  /** As ECharts names or draws it. */
  readonly symbol: string;
}

/** An encoder of the report: called and drawn alike wherever it appears. */
export interface ShownEncoder {
  /** As it was given on the command line. */
  readonly name: string;
  /** As little of the name as tells it apart. */
  readonly short: string;
  readonly style: Style;
  /** How it was trained, in words: "LORE, rho 0.1, K 5". */
  readonly method: string;
  /** Size of the perturbations that it was trained with. */
  readonly epsilon?: number;
  /** The run that made it, where the report is given it. */
  readonly run?: TrainingRun;
}

/** An encoder and those that were trained from it. Only they compare. */
export interface Base {
  readonly original: ShownEncoder;
  readonly trained: readonly ShownEncoder[];
}

export interface Encoders {
  /** In the order in which they appear. */
  readonly bases: readonly Base[];
  /** @throws RangeError for a name that is nowhere in the report */
  of(name: string): ShownEncoder;
  baseOf(encoder: ShownEncoder): Base;
}

const marks = ["■", "▲", "◆", "✖", "✚", "▼", "⬟"];

/** The symbol as a letter, for names in charts. */
export function markOf({ symbol }: Style): string {
  return marks[symbols.indexOf(symbol)] ?? "●";
}

/** The original's; it is grey and solid everywhere. */
const originalStyle: Style = { colour: "var(--c4)", dash: [], symbol: "circle" };

const colours = ["--c0", "--c1", "--c2", "--c3", "--c5", "--c6", "--c7"];
// None is dotted: that is how chance and limits are drawn.
const dashes = [[], [7, 3], [10, 3, 3, 3], [4, 3], [14, 4], [8, 3, 3, 3, 3, 3], [14, 3, 6, 3]];
const symbols = [
  "rect",
  "triangle",
  "diamond",
  "path://M0 3L3 0L6 3L9 0L12 3L9 6L12 9L9 12L6 9L3 12L0 9L3 6Z",
  "path://M4 0H8V4H12V8H8V12H4V8H0V4H4Z",
  "path://M0 0H12L6 12Z",
  "path://M6 0L12 5L9.5 12H2.5L0 5Z",
];

export function encodersIn({ runs, measuredRuns, findings, fronts, origins }: ReportInput): Encoders {
  const known = [...runs, ...measuredRuns];
  const folders = runs.map(({ folder }) => folder);
  const originOfName = (name: string): string | undefined => {
    const run = known.find(({ folder }) => sameEncoder(folder, name));
    return (run && originalOf(run.description)) ?? origins.get(name);
  };
  const measured = findings.flatMap(({ finding }) => encodersOf(finding));
  const blended = fronts.flatMap(({ front: { original } }) => (original === undefined ? [] : [original]));
  const given = [...measured, ...blended, ...folders];
  const all = [...new Set([...given, ...given.flatMap((name) => originOfName(name) ?? [])])];
  // One encoder may be given by several names.
  const heads: string[] = [];
  const headOf = new Map<string, string>();
  for (const name of all) {
    const head = heads.find((other) => sameEncoder(other, name));
    if (head === undefined) heads.push(name);
    headOf.set(name, head ?? name);
  }
  const origin = new Map<string, string>();
  for (const name of all) {
    const from = originOfName(name);
    const [head, fromHead] = [headOf.get(name)!, from === undefined ? undefined : headOf.get(from)];
    if (fromHead !== undefined && fromHead !== head) origin.set(head, fromHead);
  }
  /** The encoder that the first run began with, where a run went on from another. */
  const root = (head: string, seen: readonly string[] = []): string => {
    const from = origin.get(head);
    return from === undefined || seen.includes(from) ? head : root(from, [...seen, head]);
  };
  const short = shortNames(heads.map(withoutFile));
  const bases = [...new Set(heads.map((head) => root(head)))].map((original): Base => {
    const shown = (name: string, style: Style): ShownEncoder => {
      const run = runs.find(({ folder }) => sameEncoder(folder, name));
      const made = run ?? known.find(({ folder }) => sameEncoder(folder, name));
      const epsilon = made && trainedEpsilon(made);
      return {
        ...{ name, short: short[heads.indexOf(name)]!, style },
        method: made ? methodOf(made) : name === original ? "original" : "unknown",
        ...(epsilon !== undefined && { epsilon }),
        ...(run && { run }),
      };
    };
    const trained = heads.filter((head) => head !== original && root(head) === original);
    return { original: shown(original, originalStyle), trained: trained.map((name, i) => shown(name, styleAt(i))) };
  });
  const byHead = new Map(
    bases.flatMap(({ original, trained }) => [original, ...trained].map((one) => [one.name, one])),
  );
  return {
    bases,
    of: (name) => {
      const encoder = byHead.get(headOf.get(name) ?? "");
      if (!encoder) throw new RangeError(`Nothing in the report is about ${name}.`);
      return encoder;
    },
    baseOf: (encoder) => bases.find((base) => membersOf(base).includes(encoder))!,
  };
}

/** The original first. */
export function membersOf({ original, trained }: Base): readonly ShownEncoder[] {
  return [original, ...trained];
}

function styleAt(i: number): Style {
  return {
    colour: `var(${colours[i % colours.length]})`,
    dash: dashes[(i + 1) % dashes.length]!,
    symbol: symbols[i % symbols.length]!,
  };
}

/**
 * Whether two names mean one encoder. A run goes by its folder or by the encoder within; a relative name that leads nowhere
 * from here was typed elsewhere, and is the end of the other's path.
 */
function sameEncoder(a: string, b: string): boolean {
  const [one, other] = [a, b].map((name) => name.replace(/\/+$/, "").replace(/\/encoder$/, "")) as [string, string];
  if (one === other || resolve(one) === resolve(other)) return true;
  const endsLike = (path: string, end: string): boolean => {
    const parts = end.split("/").filter((part) => part !== "" && part !== ".");
    return (
      !end.startsWith("/") && parts.length > 1 && !existsSync(end) && resolve(path).endsWith(`/${parts.join("/")}`)
    );
  };
  return endsLike(one, other) || endsLike(other, one);
}

/** The folder of a file that is called as all such files are. */
export function withoutFile(name: string): string {
  return name.replace(/(?<=[^/])\/+(?:encoder\/*|model\.safetensors|model\.onnx)$/, "");
}

/** As many of a path's last parts as it takes to tell it from the others, names that files commonly have not counted. */
export function shortNames(names: readonly string[]): readonly string[] {
  const common = /^(train|test|val|validation)$/;
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

/** The objective in `run.json`, as far as a report needs it. */
interface Described {
  readonly objective?: {
    readonly name?: string;
    readonly stepsPerBatch?: number;
    readonly attack?: { readonly epsilon?: number };
    readonly constraint?: {
      readonly margin?: { readonly kind?: string; readonly rho?: number };
      readonly dual?: { readonly kind?: string; readonly value?: number };
    };
  };
}

function trainedEpsilon({ description }: TrainingRun): number | undefined {
  return (description as Described).objective?.attack?.epsilon;
}

const methods: Readonly<Record<string, string>> = {
  robust: "lore-vision's recipe",
  lore: "LORE",
  fare: "FARE",
  tecoa: "TeCoA",
  naive: "FARE with a constant penalty",
};

function methodOf({ description, blend }: TrainingRun): string {
  const { objective } = description as Described;
  if (!objective?.name) return "unknown";
  const { name, stepsPerBatch, constraint } = objective;
  const [rho, dual] = [constraint?.margin?.rho, constraint?.dual];
  return [
    methods[name] ?? name,
    ...(dual?.kind === "constant" ? [`constant lambda ${dual.value}`] : []),
    ...(dual?.kind === "scalar" ? ["one lambda for all images"] : []),
    ...(rho === undefined ? [] : [`rho ${rho}`]),
    ...(stepsPerBatch === undefined || name === "robust" ? [] : [`K ${stepsPerBatch}`]),
    ...(blend === undefined ? [] : [`blended ${Number(blend.toFixed(2))}`]),
  ].join(", ");
}
