import { formatEpsilon } from "../epsilon.ts";
import type { Base } from "./encoders.ts";
import type { ReportView } from "./view.ts";

/** Commands that fill what a report lacks, with the names of a base's encoders. */
export interface Commands {
  readonly train: string;
  readonly accuracy: string;
  readonly pictures: string;
  readonly blends: string;
  readonly fidelity: string;
  readonly corruptions: string;
  readonly interpretability: string;
  readonly probes: string;
}

export function commandsFor({ original, trained }: Base, { groups, encoders }: ReportView): Commands {
  const members = [original, ...trained];
  const group = groups.find(
    ({ evaluations, ofSuite }) => !ofSuite && evaluations.some(({ encoder }) => members.includes(encoders.of(encoder))),
  );
  const data = group ? quoted(group.dataset) : "DATA";
  const run = quoted(trained[0]?.name ?? "RUN");
  const all = [original, ...trained].map(({ name }) => quoted(name)).join(" ");
  const both = trained.length === 0 ? `${quoted(original.name)} RUN` : all;
  const size = formatEpsilon(trained.find(({ epsilon }) => epsilon !== undefined)?.epsilon ?? 2 / 255);
  const others = trained.length === 0 ? "RUN" : trained.map(({ name }) => quoted(name)).join(" ");
  const evaluate = `lore evaluate --encoder ${both} --data ${data} --attack autoattack --epsilon ${size}`;
  return {
    train: `lore train --encoder ${quoted(original.name)} --data IMAGES --epsilon 2/255 --out runs/${original.short.replace(/[^\w.-]+/g, "-")}`,
    accuracy: `${evaluate} --out out/accuracy`,
    pictures: `${evaluate} --examples 6 --out out/accuracy`,
    blends: `lore blend --encoder ${quoted(original.name)} ${run} --data ${data} --attack pgd --epsilon ${size} --weight 0.5 --out out/blend`,
    fidelity: `lore fidelity --original ${quoted(original.name)} --encoder ${others} --data ${data} --attack pgd --epsilon ${size} --out out/fidelity`,
    corruptions: `lore corruptions --encoder ${both} --data ${data} --out out/corruptions`,
    interpretability: `lore interpret --encoder ${both} --data ${data} --out out/interpret`,
    probes: `lore probe --encoder ${both} --train TRAIN --data ${data} --out out/probe`,
  };
}

/** As a shell reads it. */
export function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
