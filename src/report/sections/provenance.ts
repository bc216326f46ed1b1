import { formatEpsilon } from "../../epsilon.ts";
import type { Environment, FindingKind } from "../../results/index.ts";
import { quoted } from "../commands.ts";
import { membersOf } from "../encoders.ts";
import { type Cell, escapeHtml, fold, htmlTable, note, preformatted } from "../page.ts";
import type { ReportView } from "../view.ts";

const kinds: Readonly<Record<FindingKind, string>> = {
  evaluation: "accuracy",
  benchmark: "benchmark",
  corruptions: "common corruptions",
  probes: "probes",
  fidelity: "fidelity",
  interpretability: "interpretability",
};

/** Enough to do it again: encoders in full, commands, settings of runs, machines and versions. */
export function provenanceFolds(view: ReportView, defaults: Readonly<Record<string, unknown>>): readonly string[] {
  return [...encoderNames(view), ...commands(view), ...settings(view, defaults)];
}

function encoderNames({ encoders }: ReportView): readonly string[] {
  const rows = encoders.bases.flatMap((base) =>
    membersOf(base).map((member) => [member.short, member.name, member === base.original ? "-" : base.original.short]),
  );
  return [
    fold(
      "Encoders",
      "their names in full",
      htmlTable(["called here", "as given", "trained from"], rows, { text: [1, 2] }),
    ),
  ];
}

function commands({ input: { findings } }: ReportView): readonly string[] {
  if (findings.length === 0) return [];
  const machines = [...new Set(findings.map(({ finding }) => describeMachine(finding.environment)))];
  return [
    fold(
      "Commands",
      "what was typed, when, and on which machine",
      ...findings.flatMap(({ folder, finding: { kind, command, date, seconds, environment } }) => [
        preformatted(`$ lore ${command.map(quoted).join(" ")}`),
        note(
          [
            kinds[kind],
            `kept in ${folder}`,
            `finished ${date.replace("T", " ").replace(/\.\d+Z$/, " UTC")}`,
            `took ${duration(seconds)}`,
            ...(machines.length > 1 ? [`machine ${machines.indexOf(describeMachine(environment)) + 1}`] : []),
          ].join("; "),
        ),
      ]),
      ...machines.map((machine, i) => note(`${machines.length > 1 ? `Machine ${i + 1}` : "Machine"}: ${machine}`)),
    ),
  ];
}

/** Settings that a run must have of its own, and that the table says elsewhere. */
const told = new Set(["encoder", "out", "resume"]);

/** In pixel units, which people write as 255ths. */
const sizes = new Set(["epsilon", "attackStepSize"]);

/** A column a run, a row a setting that is not the default in all of them. */
function settings(view: ReportView, defaults: Readonly<Record<string, unknown>>): readonly string[] {
  const runs = view.encoders.bases
    .flatMap(membersOf)
    .flatMap((encoder) => (encoder.run ? [{ encoder, run: encoder.run }] : []));
  if (runs.length === 0) return [];
  const flagsOf = (description: unknown): Readonly<Record<string, unknown>> =>
    (description as { readonly flags?: Readonly<Record<string, unknown>> }).flags ?? {};
  const flags = runs.map(({ run }) => flagsOf(run.description));
  const isDefault = (name: string, value: unknown): boolean =>
    value === undefined || JSON.stringify(value) === JSON.stringify(defaults[name]);
  const names = [...new Set(flags.flatMap(Object.keys))].filter(
    (name) => !told.has(name) && flags.some((one) => !isDefault(name, one[name])),
  );
  const rows = names.map((name): readonly Cell[] => [
    { html: `<code>--${escapeHtml(name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`))}</code>` },
    ...flags.map((one) =>
      isDefault(name, one[name]) ? { html: '<span class="about">default</span>' } : shown(name, one[name], view),
    ),
  ]);
  const versions = [
    ...new Set(runs.map(({ run }) => JSON.stringify((run.description as { versions?: object }).versions ?? {}))),
  ];
  return [
    fold(
      "Settings",
      "of the runs, where they differ from the defaults",
      ...(rows.length === 0
        ? [note("All runs have the defaults.")]
        : [htmlTable(["option of lore train", ...runs.map(({ encoder }) => encoder.short)], rows)]),
      ...versions
        .filter((one) => one !== "{}")
        .map((one) =>
          note(
            `Trained with ${Object.entries(JSON.parse(one) as object)
              .map((pair) => pair.join(" "))
              .join(", ")}.`,
          ),
        ),
      note("run.json in each run's folder has all settings."),
    ),
  ];
}

function shown(name: string, value: unknown, view: ReportView): string {
  if (typeof value === "number") return sizes.has(name) ? formatEpsilon(value) : String(Number(value.toPrecision(6)));
  if (typeof value === "string") return name === "data" ? view.dataset(value) : value;
  return JSON.stringify(value);
}

function describeMachine({ versions, platform, cpu, cores, memoryBytes }: Environment): string {
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB, ${platform}; ${packages.join(", ")}`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 3600 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
