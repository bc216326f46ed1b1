import type { Environment, FindingKind } from "../../results/index.ts";
import type { ReportInput } from "../input.ts";
import type { Cast } from "../legend.ts";
import { details, htmlTable, note, type Part, preformatted, subheading } from "../page.ts";

const kinds: Readonly<Record<FindingKind, string>> = {
  evaluation: "accuracy",
  benchmark: "benchmark",
  corruptions: "common corruptions",
  probes: "probes",
  fidelity: "fidelity",
  interpretability: "interpretability",
};

/** Enough to do it again: encoders in full, commands, settings of runs, machines and versions. */
export function provenanceParts({ runs, findings }: ReportInput, cast: Cast): readonly Part[] {
  const machines = [...new Set(findings.map(({ finding }) => describeMachine(finding.environment)))];
  return [
    {
      heading: "How this was measured",
      content: [
        htmlTable(
          ["called here", "encoder as given"],
          cast.members.map(({ short, name }) => [short, name]),
          { text: [1] },
        ),
        ...(findings.length === 0 ? [] : [subheading("Commands")]),
        ...findings.flatMap(({ folder, finding: { kind, command, date, seconds, environment } }) => [
          preformatted(`$ lore ${command.map(quoted).join(" ")}`),
          note(
            [
              kinds[kind],
              `kept in ${folder}`,
              `finished ${date.replace("T", " ").replace(/\.\d+Z$/, " UTC")}`,
              `took ${duration(seconds)}`,
              `machine ${machines.indexOf(describeMachine(environment)) + 1}`,
            ].join("; "),
          ),
        ]),
        ...(machines.length === 0
          ? []
          : [
              subheading("Machines"),
              htmlTable(
                ["machine", "environment"],
                machines.map((machine, i) => [String(i + 1), machine]),
                { text: [1] },
              ),
            ]),
        ...(runs.length === 0 ? [] : [subheading("Settings of the runs")]),
        ...runs.map(({ folder, description }) =>
          details(folder, preformatted(JSON.stringify(description, undefined, 2) ?? "")),
        ),
      ],
    },
  ];
}

/** As a shell reads it. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

function describeMachine({ versions, platform, cpu, cores, memoryBytes }: Environment): string {
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB, ${platform}; ${packages.join(", ")}`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 3600 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
